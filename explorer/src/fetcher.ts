// How operations are sent: queries and mutations by POST, subscriptions over a WebSocket that is told the headers
// editor's headers as it opens. Both beside the page, wherever that is: a gateway behind a path prefix works too.
import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { type DocumentNode, Kind, parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { explained, tellCost } from './cost';

const { href: url } = new URL('graphql', document.baseURI);

const plain = { url, enableIncrementalDelivery: false };
const schemaFetcher = createGraphiQLFetcher(plain);
const fetching = (headers: Record<string, unknown> | undefined) =>
  createGraphiQLFetcher({
    ...plain,
    fetch: explained,
    // It opens when it is needed. Why it was closed is to be seen, so it is not opened again.
    wsClient: createClient({ url: url.replace(/^http/, 'ws'), connectionParams: headers, retryAttempts: 0 }),
  });

function parsed(query: string): DocumentNode | undefined {
  try {
    return parse(query);
  } catch {
    return undefined; // the gateway tells what is wrong
  }
}

export const fetcher: Fetcher = (params, options) => {
  if (params.operationName === 'IntrospectionQuery') return schemaFetcher(params, options);
  // What is told of an operation is not that of the one before it; a subscription has nothing to tell.
  tellCost(undefined);
  // For half a second after a change of tabs GraphiQL still names the operation of the other.
  const documentAST = parsed(params.query);
  const operations = documentAST?.definitions.filter((part) => part.kind === Kind.OPERATION_DEFINITION) ?? [];
  const names = operations.map((operation) => operation.name?.value);
  const operationName = names.find((name) => name === params.operationName) ?? (names.length === 1 ? names[0] : undefined);
  const ask = fetching(options?.headers);
  return ask({ ...params, operationName }, { ...options, documentAST: documentAST ?? options?.documentAST });
};
