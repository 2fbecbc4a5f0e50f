// What the application asks. The types are generated from these and the schema.
import { graphql } from './gql/index.js';

export const profile = graphql(`
  query Profile($id: ID!) {
    contact(id: $id) {
      id
      name
      tasks { id title status }
    }
  }
`);

export const list = graphql(`
  query List($first: Int!, $after: String) {
    contacts(first: $first, after: $after) {
      edges { cursor node { id name } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

// The payload has the contact's list as it is after the change: what is kept of the contact follows without another word.
export const createTask = graphql(`
  mutation CreateTask($input: CreateTaskInput!) {
    createTask(input: $input) {
      task {
        id
        title
        contact { id tasks { id title status } }
      }
    }
  }
`);

export const createContact = graphql(`
  mutation CreateContact($input: CreateContactInput!) {
    createContact(input: $input) {
      contact { id }
    }
  }
`);

export const changes = graphql(`
  subscription Changes($id: ID!) {
    contactChanged(id: $id) {
      kind
      resource
      contact { id tasks { id title status } }
    }
  }
`);
