// Mercurius with its compiler of hot operations, and mercurius-cache in front of every field that calls the upstream.
// The cache also lets callers who ask at the same time share one call.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import cache from 'mercurius-cache';
import { Pool } from 'undici';
import { appointment, contact, note, paths, settings, task, typeDefs } from '../contacts.mjs';

const upstream = new Pool(settings.upstream, { connections: 200 });

async function get(path) {
  const { statusCode, body } = await upstream.request({ method: 'GET', path: `/${path}`, headers: settings.headers });
  if (statusCode === 404 || statusCode === 400) {
    await body.dump();
    return {};
  }
  if (statusCode !== 200) throw new Error(`The upstream answered ${statusCode}.`);
  return body.json();
}

const resolvers = {
  Query: {
    contact: async (_, { id }) => {
      const found = (await get(paths.contact(id))).contact;
      return found ? contact(found) : null;
    },
    contacts: async (_, { first }) => ({ nodes: ((await get(paths.contacts(first))).contacts ?? []).map(contact) }),
  },
  Contact: {
    tasks: async ({ id }) => ((await get(paths.tasks(id))).tasks ?? []).map(task),
    notes: async ({ id }) => ((await get(paths.notes(id))).notes ?? []).map(note),
    appointments: async ({ id }) => ((await get(paths.appointments(id))).events ?? []).map(appointment),
  },
};

const app = Fastify();
app.register(mercurius, { schema: typeDefs, resolvers, jit: 1 });
// All of an object is kept whatever fields were asked for, so the keys are the ids alone.
const ofContact = { key: ({ self }) => self.id };
app.register(cache, {
  ttl: settings.ttl,
  storage: { type: 'memory', options: { size: 100_000 } },
  policy: {
    Query: { contact: { key: ({ arg }) => arg.id }, contacts: { key: ({ arg }) => String(arg.first) } },
    Contact: { tasks: ofContact, notes: ofContact, appointments: ofContact },
  },
});
await app.listen({ host: '127.0.0.1', port: settings.port });
