// A tiny stand-in for the Contacts API that knows every contact there could be, for the soak. PORT says where.
import { createServer } from 'node:http';

const rows = {
  tasks: (id) => ({ tasks: [1, 2].map((n) => ({ id: `t${n}${id}`, title: `Task ${n}`, completed: n === 2, dueDate: '2026-06-11T20:00:00.000Z', contactId: id })) }),
  notes: (id) => ({ notes: [{ id: `n${id}`, body: `What was said to ${id}, at some length.`, dateAdded: '2026-06-12T18:05:09.000Z', contactId: id }] }),
  appointments: (id) => ({ events: [{ id: `e${id}`, title: 'Review', appointmentStatus: 'confirmed', startTime: '2026-06-18 14:30:00', endTime: '2026-06-18 15:30:00', contactId: id }] }),
};
const contact = (id) => ({
  contact: { id, firstName: 'Ada', lastName: id, email: `${id}@example.com`, phone: '+15550100142', companyName: 'Example', tags: ['lead'] },
});

createServer((request, response) => {
  const [, , id, part] = request.url.split('/');
  const body = JSON.stringify(part ? rows[part](id) : contact(id));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}).listen(Number(process.env.PORT), '127.0.0.1');
