// Apollo Client: one cache of contacts, tasks, notes and appointments by their ids, and a list that grows by pages.
//
//   GATEWAY_URL=http://127.0.0.1:4000 npm test
import assert from 'node:assert/strict';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition, relayStylePagination } from '@apollo/client/utilities';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { firstValueFrom } from 'rxjs';
import WebSocket from 'ws';
import { changes, createContact, createTask, list, profile } from './operations.js';

const AMARA = 'aM4raLqv7XbT2kW9hE3z'; // a contact of the demo
const endpoint = new URL('/graphql', process.env.GATEWAY_URL ?? 'http://127.0.0.1:4000').href;

const cache = new InMemoryCache({
  typePolicies: {
    // Words that are searched for make another list; the cursors make pages of the same.
    Query: { fields: { contacts: relayStylePagination(['search']) } },
    // A list that comes whole takes the place of the one before it.
    Contact: { fields: { tasks: { merge: false }, notes: { merge: false }, appointments: { merge: false } } },
  },
});
const socket = createClient({ url: endpoint.replace(/^http/, 'ws'), webSocketImpl: WebSocket, lazy: false });
const connected = new Promise<unknown>((resolve) => socket.on('connected', resolve));
const client = new ApolloClient({
  cache,
  link: ApolloLink.split(
    ({ query }) => (getMainDefinition(query) as { operation?: string }).operation === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    new HttpLink({ uri: endpoint }),
  ),
});

// A profile that is watched, as a component would: it is told of whatever changes what it shows.
const shown: number[] = [];
const watched = client.watchQuery({ query: profile, variables: { id: AMARA } });
watched.subscribe(({ data, dataState }) => {
  if (dataState === 'complete') shown.push(data.contact?.tasks?.length ?? 0);
});
const { data } = await client.query({ query: profile, variables: { id: AMARA } });
console.log(`profile: ${data?.contact?.name}, ${data?.contact?.tasks?.length} tasks`);

// A list: the second page joins the first.
const pages = client.watchQuery({ query: list, variables: { first: 10 } });
pages.subscribe(() => {});
const first = await client.query({ query: list, variables: { first: 10 } });
await pages.fetchMore({ variables: { after: first.data?.contacts.pageInfo.endCursor } });
const joined = client.readQuery({ query: list, variables: { first: 10 } })?.contacts;
assert.equal(new Set(joined?.edges.map(({ node }) => node.id)).size, 20);
console.log(`list: ${joined?.edges.length} contacts on two pages, more: ${joined?.pageInfo.hasNextPage}`);

// A subscription, before the change that it tells.
const told = firstValueFrom(client.subscribe({ query: changes, variables: { id: AMARA } }));
await connected;

// A change: the profile that is watched shows it, since its payload brought the contact's tasks.
await client.mutate({
  mutation: createTask,
  variables: { input: { contactId: AMARA, title: 'Call back', dueDate: '2026-07-01T09:00:00Z' } },
});
const change = (await told).data?.contactChanged;
const [before = 0] = shown;
assert.equal(shown.at(-1), before + 1);
console.log(`mutation: the profile shows ${shown.at(-1)} tasks`);
assert.deepEqual([change?.kind, change?.resource], ['CREATED', 'TASK']);
console.log(`subscription: ${change?.resource} ${change?.kind}`);

// An error, by its code.
const refused = await client
  .mutate({ mutation: createContact, variables: { input: { email: 'amara.lindqvist@example.com' } } })
  .catch((error: unknown) => error);
assert.ok(CombinedGraphQLErrors.is(refused));
const { code, existingContactId } = refused.errors[0]?.extensions ?? {};
assert.deepEqual([code, existingContactId], ['CONFLICT', AMARA]);
console.log(`error: ${code}, the contact is ${existingContactId}`);

await socket.dispose();
client.stop();
