// Types from the schema, and nothing between the application and fetch: graphql-codegen's client preset.
//
//   GATEWAY_URL=http://127.0.0.1:4000 npm test
import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { graphql } from './gql/index.js';
import type { ChangesSubscription, ProfileQuery, TypedDocumentString } from './gql/graphql.js';

const AMARA = 'aM4raLqv7XbT2kW9hE3z'; // a contact of the demo
const endpoint = new URL('/graphql', process.env.GATEWAY_URL ?? 'http://127.0.0.1:4000');

/** The codes that this application does something about; the gateway has more. */
type Extensions =
  | { code: 'CONFLICT'; existingContactId: string }
  | { code: 'BAD_USER_INPUT'; inputPath?: (string | number)[] }
  | { code: 'RATE_LIMITED'; retryAfterMs: number }
  | { code: 'NOT_FOUND' | 'FORBIDDEN' | 'UPSTREAM_UNAVAILABLE' };

interface Trouble {
  message: string;
  path?: (string | number)[];
  extensions: Extensions & { requestId: string };
}

class Refused extends Error {
  constructor(readonly errors: [Trouble, ...Trouble[]]) {
    super(errors.map(({ message }) => message).join(' '));
  }
}

async function ask<Result, Variables>(query: TypedDocumentString<Result, Variables>, variables: Variables): Promise<Result> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body: JSON.stringify({ query, variables }),
  });
  const answer = (await response.json()) as { data?: Result; errors?: [Trouble, ...Trouble[]] };
  // Parts that failed are null; an application that can show the others looks at `data` all the same.
  if (answer.errors) throw new Refused(answer.errors);
  return answer.data as Result;
}

const profile = graphql(`
  query Profile($id: ID!) {
    contact(id: $id) {
      id
      name
      tasks { id title status dueDate }
    }
  }
`);
const list = graphql(`
  query List($first: Int!, $after: String) {
    contacts(first: $first, after: $after) {
      nodes { id name }
      pageInfo { hasNextPage endCursor }
    }
  }
`);
const createTask = graphql(`
  mutation CreateTask($input: CreateTaskInput!) {
    createTask(input: $input) {
      task { id title status dueDate }
    }
  }
`);
const createContact = graphql(`
  mutation CreateContact($input: CreateContactInput!) {
    createContact(input: $input) {
      contact { id }
    }
  }
`);
const changes = graphql(`
  subscription Changes($id: ID!) {
    contactChanged(id: $id) {
      kind
      resource
      contact { id tasks { title } }
    }
  }
`);

// A profile, kept by its id.
type Contact = NonNullable<ProfileQuery['contact']>;
const kept = new Map<string, Contact>();
const { contact } = await ask(profile, { id: AMARA });
assert.ok(contact);
kept.set(contact.id, contact);
const open = contact.tasks?.filter(({ status }) => status === 'OPEN').length;
console.log(`profile: ${contact.name}, ${open} open tasks`);

// A list, page by page.
const first = (await ask(list, { first: 10 })).contacts;
const second = (await ask(list, { first: 10, after: first.pageInfo.endCursor })).contacts;
assert.equal(new Set([...first.nodes, ...second.nodes].map(({ id }) => id)).size, 20);
console.log(`list: 20 contacts on two pages, more: ${second.pageInfo.hasNextPage}`);

// A subscription, before the change that it tells.
const socket = createClient({ url: endpoint.href.replace(/^http/, 'ws'), webSocketImpl: WebSocket, lazy: false });
const connected = new Promise<unknown>((resolve) => socket.on('connected', resolve));
const told = socket.iterate<ChangesSubscription>({ query: changes.toString(), variables: { id: AMARA } });
await connected;

// A change, and what is kept follows it.
const made = await ask(createTask, { input: { contactId: AMARA, title: 'Call back', dueDate: '2026-07-01T09:00:00Z' } });
const task = made.createTask?.task;
assert.ok(task);
kept.set(AMARA, { ...contact, tasks: [...(contact.tasks ?? []), task] });
console.log(`mutation: "${task.title}" is due ${task.dueDate}, ${kept.get(AMARA)?.tasks?.length} tasks are kept`);

for await (const { data } of told) {
  const seen = data?.contactChanged;
  assert.ok(seen?.contact?.tasks);
  assert.deepEqual([seen.kind, seen.resource], ['CREATED', 'TASK']);
  assert.ok(seen.contact.tasks.some(({ title }) => title === 'Call back'));
  console.log(`subscription: ${seen.resource} ${seen.kind}, ${seen.contact.tasks.length} tasks now`);
  break;
}
await socket.dispose();

// An error, by its code.
const refused = await ask(createContact, { input: { email: 'amara.lindqvist@example.com' } }).catch((error: unknown) => error);
assert.ok(refused instanceof Refused);
const [{ extensions }] = refused.errors;
assert.ok(extensions.code === 'CONFLICT');
assert.equal(extensions.existingContactId, AMARA);
console.log(`error: ${extensions.code}, the contact is ${extensions.existingContactId}`);
