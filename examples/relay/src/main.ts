// Relay: fragments that are compiled against the schema, a connection that grows by pages, and a store of records by id.
//
//   GATEWAY_URL=http://127.0.0.1:4000 npm test
import assert from 'node:assert/strict';
import {
  commitMutation,
  createOperationDescriptor,
  fetchQuery,
  getRequest,
  graphql,
  requestSubscription,
  type GraphQLTaggedNode,
  type OperationType,
  type Variables,
} from 'relay-runtime';
import type { mainChangesSubscription } from './__generated__/mainChangesSubscription.graphql';
import type { mainCreateContactMutation } from './__generated__/mainCreateContactMutation.graphql';
import type { mainCreateTaskMutation } from './__generated__/mainCreateTaskMutation.graphql';
import type { mainListQuery } from './__generated__/mainListQuery.graphql';
import type { mainProfileQuery } from './__generated__/mainProfileQuery.graphql';
import { connected, environment, Refused, socket } from './environment';

const AMARA = 'aM4raLqv7XbT2kW9hE3z'; // a contact of the demo

const profile = graphql`
  query mainProfileQuery($id: ID!) {
    contact(id: $id) {
      id
      name
      tasks { id title status }
    }
  }
`;
const list = graphql`
  query mainListQuery($first: Int!, $after: String) {
    contacts(first: $first, after: $after) @connection(key: "main_contacts") {
      edges { node { id name } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;

/** What the store has for an operation, as a component would be shown it. */
function kept<T extends OperationType>(operation: GraphQLTaggedNode, variables: Variables): T['response'] {
  return environment.lookup(createOperationDescriptor(getRequest(operation), variables).fragment).data as T['response'];
}

async function main() {
  // A profile.
  const before = await fetchQuery<mainProfileQuery>(environment, profile, { id: AMARA }).toPromise();
  const tasks = before?.contact?.tasks?.length ?? 0;
  console.log(`profile: ${before?.contact?.name}, ${tasks} tasks`);

  // A list: the second page joins the connection of the first.
  const first = await fetchQuery<mainListQuery>(environment, list, { first: 10 }).toPromise();
  const after = first?.contacts.pageInfo.endCursor;
  await fetchQuery<mainListQuery>(environment, list, { first: 10, after }).toPromise();
  const { edges, pageInfo } = kept<mainListQuery>(list, { first: 10 }).contacts;
  assert.equal(new Set(edges.map(({ node }) => node.id)).size, 20);
  console.log(`list: ${edges.length} contacts on two pages, more: ${pageInfo.hasNextPage}`);

  // A subscription, before the change that it tells.
  const told = new Promise<mainChangesSubscription['response']>((resolve, reject) => {
    requestSubscription<mainChangesSubscription>(environment, {
      subscription: graphql`
        subscription mainChangesSubscription($id: ID!) {
          contactChanged(id: $id) {
            kind
            resource
            contact { id tasks { id title status } }
          }
        }
      `,
      variables: { id: AMARA },
      onNext: (response) => response && resolve(response),
      onError: reject,
    });
  });
  await connected;

  // A change: its payload has the contact's tasks, so the store has them.
  await new Promise<unknown>((resolve, reject) => {
    commitMutation<mainCreateTaskMutation>(environment, {
      mutation: graphql`
        mutation mainCreateTaskMutation($input: CreateTaskInput!) {
          createTask(input: $input) {
            task { id title contact { id tasks { id title status } } }
          }
        }
      `,
      variables: { input: { contactId: AMARA, title: 'Call back', dueDate: '2026-07-01T09:00:00Z' } },
      onCompleted: resolve,
      onError: reject,
    });
  });
  const now = kept<mainProfileQuery>(profile, { id: AMARA }).contact?.tasks?.length;
  assert.equal(now, tasks + 1);
  console.log(`mutation: the store has ${now} tasks`);

  const { kind, resource } = (await told).contactChanged;
  assert.deepEqual([kind, resource], ['CREATED', 'TASK']);
  console.log(`subscription: ${resource} ${kind}`);
  await socket.dispose();

  // An error, by its code.
  const refused = await new Promise((resolve, reject) => {
    commitMutation<mainCreateContactMutation>(environment, {
      mutation: graphql`
        mutation mainCreateContactMutation($input: CreateContactInput!) {
          createContact(input: $input) {
            contact { id }
          }
        }
      `,
      variables: { input: { email: 'amara.lindqvist@example.com' } },
      onCompleted: () => reject(new Error('there are two of her')),
      onError: resolve,
    });
  });
  assert.ok(refused instanceof Refused);
  const { code, existingContactId } = refused.extensions;
  assert.deepEqual([code, existingContactId], ['CONFLICT', AMARA]);
  console.log(`error: ${code}, the contact is ${existingContactId}`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
