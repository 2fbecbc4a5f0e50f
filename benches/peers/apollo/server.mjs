// Apollo Server with the cache of whole answers, over RESTDataSource with its cache of upstream answers. Both keep in
// one memory; a data source is made for each request, as its manual says.
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginCacheControl } from '@apollo/server/plugin/cacheControl';
import { startStandaloneServer } from '@apollo/server/standalone';
import responseCache from '@apollo/server-plugin-response-cache';
import { RESTDataSource } from '@apollo/datasource-rest';
import { appointment, contact, note, paths, settings, task, typeDefs } from '../contacts.mjs';

class Contacts extends RESTDataSource {
  baseURL = `${settings.upstream}/`;

  willSendRequest(_path, request) {
    Object.assign(request.headers, settings.headers);
  }

  async read(path) {
    try {
      return await this.get(path, { cacheOptions: { ttl: settings.ttl } });
    } catch (error) {
      const status = error.extensions?.response?.status;
      if (status === 404 || status === 400) return {};
      throw error;
    }
  }
}

const resolvers = {
  Query: {
    contact: async (_, { id }, { contacts }) => {
      const found = (await contacts.read(paths.contact(id))).contact;
      return found ? contact(found) : null;
    },
    contacts: async (_, { first }, { contacts }) => ({
      nodes: ((await contacts.read(paths.contacts(first))).contacts ?? []).map(contact),
    }),
  },
  Contact: {
    tasks: async ({ id }, _, { contacts }) => ((await contacts.read(paths.tasks(id))).tasks ?? []).map(task),
    notes: async ({ id }, _, { contacts }) => ((await contacts.read(paths.notes(id))).notes ?? []).map(note),
    appointments: async ({ id }, _, { contacts }) =>
      ((await contacts.read(paths.appointments(id))).events ?? []).map(appointment),
  },
};

const server = new ApolloServer({
  typeDefs,
  resolvers,
  introspection: false,
  includeStacktraceInErrorResponses: false,
  plugins: [ApolloServerPluginCacheControl({ defaultMaxAge: settings.ttl }), responseCache()],
});
await startStandaloneServer(server, {
  listen: { host: '127.0.0.1', port: settings.port },
  context: async () => ({ contacts: new Contacts({ cache: server.cache }) }),
});
