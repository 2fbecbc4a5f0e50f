// What the peers have in common: the part of the gateway's schema that the comparison asks, and the way from an
// upstream object to it. How they call and what they keep is each peer's own.

export const typeDefs = `
  type Address { city: String state: String }
  type Task { id: ID! title: String status: String dueDate: String }
  type Note { id: ID! note: String dateCreated: String }
  type Appointment { id: ID! title: String status: String startTime: String endTime: String }
  type Contact {
    id: ID! name: String email: String phone: String company: String tags: [String!] timezone: String address: Address
    tasks: [Task!] notes: [Note!] appointments: [Appointment!]
  }
  type ContactConnection { nodes: [Contact!]! }
  type Query { contact(id: ID!): Contact contacts(first: Int = 20): ContactConnection! }
`;

export const settings = {
  port: Number(process.env.PORT),
  upstream: process.env.UPSTREAM,
  location: process.env.LOCATION,
  headers: { authorization: `Bearer ${process.env.TOKEN}`, version: '2021-07-28', accept: 'application/json' },
  // Seconds; the gateway's own default for a contact.
  ttl: Number(process.env.TTL ?? 60),
};

export const paths = {
  contact: (id) => `contacts/${encodeURIComponent(id)}`,
  tasks: (id) => `contacts/${encodeURIComponent(id)}/tasks`,
  notes: (id) => `contacts/${encodeURIComponent(id)}/notes`,
  appointments: (id) => `contacts/${encodeURIComponent(id)}/appointments`,
  contacts: (first) => `contacts/?locationId=${encodeURIComponent(settings.location)}&limit=${first}`,
};

const moment = (text) => text && new Date(/Z$/.test(text) ? text : `${text}Z`).toISOString().replace('.000Z', 'Z');

export const contact = (row) => {
  const first = row.firstNameRaw ?? row.firstName;
  const last = row.lastNameRaw ?? row.lastName;
  return {
    id: row.id,
    name: [first, last].filter(Boolean).join(' ') || null,
    email: row.email,
    phone: row.phone,
    company: row.companyName,
    tags: row.tags,
    timezone: row.timezone,
    address: { city: row.city, state: row.state },
  };
};

export const task = (row) => ({
  id: row.id,
  title: row.title,
  status: row.completed ? 'COMPLETED' : 'OPEN',
  dueDate: moment(row.dueDate),
});

export const note = (row) => ({ id: row.id, note: row.body, dateCreated: moment(row.dateAdded) });

export const appointment = (row) => ({
  id: row.id,
  title: row.title,
  status: row.appointmentStatus?.toUpperCase(),
  startTime: moment(row.startTime),
  endTime: moment(row.endTime),
});
