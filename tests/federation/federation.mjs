// The gateway as a subgraph: `@apollo/composition` composes it with a second one, and `@apollo/gateway` answers queries that cross
// both, with the calls that reach the upstream counted.
//
//   node federation.mjs BINARY
//
// Starts `BINARY sandbox` and `BINARY serve` on ports that are free. A line for each promise; ends with 1 if one is not kept.
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { composeServices } from '@apollo/composition';
import { ApolloGateway, LocalGraphQLDataSource, RemoteGraphQLDataSource } from '@apollo/gateway';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';

const [binary] = process.argv.slice(2);
if (!binary) {
  console.error('node federation.mjs BINARY');
  process.exit(64);
}
const MOST = 30_000;
const started = [];
const run = (words, options) => {
  const child = spawn(binary, words, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  started.push(child);
  return child;
};
const json = async (url, init) => (await fetch(url, { signal: AbortSignal.timeout(MOST), ...init })).json();

let failed = 0;
function tell(name, seen, wanted) {
  const good = isDeepStrictEqual(seen, wanted);
  if (!good) failed += 1;
  console.log(good ? `ok    ${name}` : `FAIL  ${name}: ${JSON.stringify(seen)?.slice(0, 500)}, wanted ${JSON.stringify(wanted)?.slice(0, 500)}`);
}

// Its output is read on: a process whose output nobody reads ends.
function sandboxUrl(sandbox) {
  return new Promise((found, lost) => {
    let said = '';
    sandbox.on('exit', () => lost(new Error(`the sandbox told no address: ${said}`)));
    sandbox.stdout.on('data', (part) => {
      said += part;
      const [, url] = said.match(/ on (http:\S+)\n/) ?? [];
      if (url) found(url);
    });
  });
}

function freePort() {
  return new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

async function ready(url, process) {
  for (let tries = 0; tries < 300 && process.exitCode === null; tries += 1) {
    if (await fetch(`${url}/health/ready`).then((answer) => answer.ok, () => false)) return;
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new Error('the gateway is not ready');
}

try {
  const sandbox = run(['sandbox', '--port', '0']);
  const upstream = await sandboxUrl(sandbox);
  const { locationId, token } = await json(`${upstream}/__sandbox/info`);
  const listed = await json(`${upstream}/contacts/?locationId=${locationId}&limit=50`, {
    headers: { authorization: `Bearer ${token}`, version: '2021-07-28' },
  });
  const ids = listed.contacts.map((contact) => contact.id);

  const port = await freePort();
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(GATEWAY|OTEL)_/.test(name)));
  Object.assign(env, {
    GATEWAY_LISTEN: `127.0.0.1:${port}`,
    GATEWAY_UPSTREAM_URL: upstream,
    GATEWAY_LOCATION_ID: locationId,
    GATEWAY_API_KEY: token,
    GATEWAY_STATE_DIR: mkdtempSync(join(tmpdir(), 'federation-')),
    GATEWAY_FEDERATION: '1',
    GATEWAY_LOG: 'warn',
  });
  const gateway = run(['serve'], { env });
  gateway.stdout.resume();
  const address = `http://127.0.0.1:${port}`;
  await ready(address, gateway);

  // The second subgraph: accounts that belong to contacts, and points that contacts have.
  const { stdout: sdl } = spawnSync(binary, ['schema', '--federation'], { encoding: 'utf8' });
  const accounts = parse(`
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])
    type Query { accounts(first: Int!): [Account!]! }
    type Account @key(fields: "id") { id: ID! owner: Contact! next: Task }
    type Contact @key(fields: "id") { id: ID! points: Int! }
    type Task @key(fields: "id contactId") { id: ID! contactId: ID! hours: Int! }
    type PageInfo @shareable { hasNextPage: Boolean! endCursor: String }
  `);
  let tasks = [];
  const owners = [...ids, 'none'];
  const resolvers = {
    Query: {
      accounts: (_, { first }) => owners.slice(0, first).map((id, at) => ({ id: `a${at}`, owner: { id }, next: tasks[at] })),
    },
    Contact: { __resolveReference: ({ id }) => ({ id }), points: ({ id }) => owners.indexOf(id) * 10 },
    Task: { __resolveReference: (task) => task, hours: () => 3 },
  };
  const local = buildSubgraphSchema({ typeDefs: accounts, resolvers });
  const composed = composeServices([
    { name: 'contacts', typeDefs: parse(sdl), url: `${address}/graphql` },
    { name: 'accounts', typeDefs: accounts, url: 'http://127.0.0.1:9' },
  ]);
  tell('the subgraph composes with a second one', composed.errors?.map((error) => error.message) ?? [], []);

  let sent = [];
  class Counted extends RemoteGraphQLDataSource {
    willSendRequest({ request }) {
      sent.push(request.query);
    }
  }
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const federated = new ApolloGateway({
    supergraphSdl: composed.supergraphSdl,
    buildService: ({ name, url }) => (name === 'contacts' ? new Counted({ url }) : new LocalGraphQLDataSource(local)),
    logger: silent,
  });
  const { executor } = await federated.load();
  // The answer, the requests to the subgraph, and the upstream calls by route.
  async function ask(query) {
    sent = [];
    await fetch(`${upstream}/__sandbox/reset`, { method: 'POST' });
    const answer = await executor({
      request: { query, variables: {} },
      document: parse(query),
      queryHash: query,
      context: {},
      cache: new Map(),
      logger: silent,
      metrics: {},
      overallCachePolicy: {},
      schema: federated.schema,
    });
    const { routes } = await json(`${upstream}/__sandbox/calls`);
    return { ...JSON.parse(JSON.stringify(answer)), sent: sent.length, calls: routes };
  }

  const crossing = await ask('{ accounts(first: 50) { owner { id name points } } }');
  tell('a query that comes from the other subgraph has no errors', crossing.errors, undefined);
  const rows = crossing.data?.accounts ?? [];
  tell('and every contact', rows.map(({ owner }) => [owner.id, typeof owner.name, owner.points]), ids.map((id, at) => [id, 'string', at * 10]));
  tell('in one request', crossing.sent, 1);
  tell('and one upstream call', crossing.calls, { 'POST /contacts/search': 1 });

  const back = await ask('{ contacts(first: 5) { nodes { id points tasks { id contactId hours } } pageInfo { hasNextPage } } }');
  tell('a query that goes to the other subgraph has no errors', back.errors, undefined);
  const nodes = back.data?.contacts.nodes ?? [];
  tell('and its fields', nodes.map((node) => [node.id, node.points]), ids.slice(0, 5).map((id, at) => [id, at * 10]));
  tasks = nodes.flatMap((node) => node.tasks);
  tell('tasks included', tasks.length > 0 && tasks.every((task) => task.hours === 3), true);

  const missing = await ask('{ accounts(first: 51) { owner { id name } } }');
  const names = (missing.data?.accounts ?? []).map(({ owner }) => owner.name !== null);
  tell('a contact that is not there is null, and no other', names, [...ids.map(() => true), false]);
  tell('and the only one that is asked for', missing.calls, { 'GET /contacts/{contactId}': 1 });

  const next = await ask('{ accounts(first: 3) { next { id title contact { id } } } }');
  tell('tasks are found by their key', next.errors, undefined);
  const found = (next.data?.accounts ?? []).map((account) => [account.next?.id, account.next?.contact.id]);
  tell('with their contacts', found, tasks.slice(0, 3).map((task) => [task.id, task.contactId]));
  await federated.stop();
} finally {
  started.forEach((child) => child.kill());
}
process.exitCode = failed ? 1 : 0;
