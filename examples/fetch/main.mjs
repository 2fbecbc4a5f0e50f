// No package at all: fetch, a Map, and an event stream.
//
//   node main.mjs http://127.0.0.1:4000
import assert from 'node:assert/strict';

const AMARA = 'aM4raLqv7XbT2kW9hE3z'; // a contact of the demo
const endpoint = new URL('/graphql', process.argv[2] ?? process.env.GATEWAY_URL ?? 'http://127.0.0.1:4000');

/** What the gateway finds wrong; `code` is what a program goes by. */
class Refused extends Error {
  constructor(errors) {
    super(errors.map(({ message }) => message).join(' '));
    Object.assign(this, errors[0].extensions);
  }
}

const post = (accept, query, variables) =>
  fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify({ query, variables }),
  });

async function ask(query, variables) {
  const { data, errors } = await (await post('application/graphql-response+json', query, variables)).json();
  if (errors) throw new Refused(errors);
  return data;
}

/** The results of a subscription. It stands when this returns. */
async function subscribe(query, variables) {
  const response = await post('text/event-stream', query, variables);
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  return (async function* results() {
    let text = '';
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
      const events = (text + part).split('\n\n');
      text = events.pop();
      for (const event of events) {
        const field = (name) => event.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        if (field('event') === 'complete') return;
        if (field('event') === 'next') yield JSON.parse(field('data'));
      }
    }
  })();
}

// A profile, kept by its id.
const kept = new Map();
const { contact } = await ask('query ($id: ID!) { contact(id: $id) { id name tasks(status: OPEN) { id title } } }', { id: AMARA });
kept.set(contact.id, contact);
console.log(`profile: ${contact.name}, ${contact.tasks.length} open tasks`);

// A list, page by page.
const LIST = 'query ($after: String) { contacts(first: 10, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }';
const first = (await ask(LIST)).contacts;
const second = (await ask(LIST, { after: first.pageInfo.endCursor })).contacts;
assert.equal(new Set([...first.nodes, ...second.nodes].map(({ id }) => id)).size, 20);
console.log(`list: 20 contacts on two pages, more: ${second.pageInfo.hasNextPage}`);

// A subscription, before the change that it tells.
const told = await subscribe('subscription ($id: ID!) { contactChanged(id: $id) { kind resource contact { name } } }', { id: AMARA });

// A change. Its payload has the contact as it is now, so that is what is kept.
const CREATE = 'mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { title contact { id name tasks(status: OPEN) { id title } } } } }';
const { task } = (await ask(CREATE, { input: { contactId: AMARA, title: 'Call back', dueDate: '2026-07-01T09:00:00Z' } })).createTask;
kept.set(task.contact.id, task.contact);
assert.equal(kept.get(AMARA).tasks.length, contact.tasks.length + 1);
console.log(`mutation: "${task.title}", ${kept.get(AMARA).tasks.length} open tasks are kept`);

for await (const { data } of told) {
  const { kind, resource } = data.contactChanged;
  assert.deepEqual([kind, resource], ['CREATED', 'TASK']);
  console.log(`subscription: ${resource} ${kind}`);
  break;
}

// An error, by its code.
const refused = await ask('mutation ($input: CreateContactInput!) { createContact(input: $input) { contact { id } } }', {
  input: { email: 'amara.lindqvist@example.com' },
}).catch((error) => error);
assert.ok(refused instanceof Refused);
assert.deepEqual([refused.code, refused.existingContactId], ['CONFLICT', AMARA]);
console.log(`error: ${refused.code}, the contact is ${refused.existingContactId}`);
