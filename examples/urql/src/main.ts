// urql with graphcache, which is told the schema: what is kept is checked against it, and a list grows by pages.
//
//   GATEWAY_URL=http://127.0.0.1:4000 npm test
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { buildSchema, introspectionFromSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import { pipe, subscribe, take, toPromise } from 'wonka';
import WebSocket from 'ws';
import { changes, createContact, createTask, list, profile } from './operations.js';

const AMARA = 'aM4raLqv7XbT2kW9hE3z'; // a contact of the demo
const endpoint = new URL('/graphql', process.env.GATEWAY_URL ?? 'http://127.0.0.1:4000').href;
// A build would write this into a file.
const schema = introspectionFromSchema(buildSchema(readFileSync('../../schema/schema.graphql', 'utf8')));

// Contacts, tasks, notes and appointments have ids. The rest is kept in the place where it was answered.
const here = () => null;
const keys = {
  Address: here,
  ContactChange: here,
  ContactConnection: here,
  ContactEdge: here,
  CustomFieldValue: here,
  Gateway: here,
  PageInfo: here,
  UpstreamLimits: here,
};

const socket = createClient({ url: endpoint.replace(/^http/, 'ws'), webSocketImpl: WebSocket, lazy: false });
const connected = new Promise<unknown>((resolve) => socket.on('connected', resolve));
const client = new Client({
  url: endpoint,
  preferGetMethod: false,
  exchanges: [
    cacheExchange({ schema, keys, resolvers: { Query: { contacts: relayPagination() } } }),
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query = '', variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables: variables as Record<string, unknown> }, sink) }),
      }),
    }),
  ],
});

// A profile that is watched, as a component would: it is told of whatever changes what it shows.
const shown: number[] = [];
const watched = pipe(
  client.query(profile, { id: AMARA }),
  subscribe(({ data }) => shown.push(data?.contact?.tasks?.length ?? 0)),
);
const { data } = await client.query(profile, { id: AMARA });
console.log(`profile: ${data?.contact?.name}, ${data?.contact?.tasks?.length} tasks`);

// A list: the second page joins the first.
const first = (await client.query(list, { first: 10 })).data?.contacts;
const both = (await client.query(list, { first: 10, after: first?.pageInfo.endCursor })).data?.contacts;
assert.equal(new Set(both?.edges.map(({ node }) => node.id)).size, 20);
console.log(`list: ${both?.edges.length} contacts on two pages, more: ${both?.pageInfo.hasNextPage}`);

// A subscription, before the change that it tells.
const told = pipe(client.subscription(changes, { id: AMARA }), take(1), toPromise);
await connected;

// A change: the profile that is watched shows it, since its payload brought the contact's tasks.
const made = await client.mutation(createTask, {
  input: { contactId: AMARA, title: 'Call back', dueDate: '2026-07-01T09:00:00Z' },
});
assert.equal(made.error, undefined);
const change = (await told).data?.contactChanged;
const [before = 0] = shown;
assert.equal(shown.at(-1), before + 1);
console.log(`mutation: the profile shows ${shown.at(-1)} tasks`);
assert.deepEqual([change?.kind, change?.resource], ['CREATED', 'TASK']);
console.log(`subscription: ${change?.resource} ${change?.kind}`);

// An error, by its code.
const { error } = await client.mutation(createContact, { input: { email: 'amara.lindqvist@example.com' } });
const { code, existingContactId } = error?.graphQLErrors[0]?.extensions ?? {};
assert.deepEqual([code, existingContactId], ['CONFLICT', AMARA]);
console.log(`error: ${code}, the contact is ${existingContactId}`);

watched.unsubscribe();
await socket.dispose();
