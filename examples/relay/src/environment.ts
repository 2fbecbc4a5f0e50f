// How Relay reaches the gateway: queries and mutations by fetch, subscriptions over a WebSocket.
import { createClient } from 'graphql-ws';
import { Environment, Network, Observable, RecordSource, Store, type GraphQLResponse } from 'relay-runtime';
import WebSocket from 'ws';

const endpoint = new URL('/graphql', process.env.GATEWAY_URL ?? 'http://127.0.0.1:4000').href;

export const socket = createClient({ url: endpoint.replace(/^http/, 'ws'), webSocketImpl: WebSocket, lazy: false });
export const connected = new Promise<unknown>((resolve) => socket.on('connected', resolve));

/** Code and more of the first error: Relay's own error only has its message. */
export class Refused extends Error {
  constructor(message: string, readonly extensions: Record<string, unknown>) {
    super(message);
  }
}

export const environment = new Environment({
  network: Network.create(
    async ({ text: query }, variables) => {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
        body: JSON.stringify({ query, variables }),
      });
      const answer = (await response.json()) as { errors?: { message: string; extensions: Record<string, unknown> }[] };
      const [error] = answer.errors ?? [];
      if (error) throw new Refused(error.message, error.extensions);
      return answer as GraphQLResponse;
    },
    ({ text, operationKind }, variables) =>
      Observable.create((sink) => {
        if (operationKind !== 'subscription' || !text) throw new Error('only subscriptions come here');
        return socket.subscribe({ query: text, variables }, sink as never);
      }),
  ),
  store: new Store(new RecordSource()),
});
