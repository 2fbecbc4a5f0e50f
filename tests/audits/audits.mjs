// GraphQL over HTTP, judged by the audits of graphql-http and by graphql-js' own introspection query, with the
// settings that a gateway has by itself. The audits ask for both media types of an answer.
//
//   node audits.mjs BINARY
//
// Starts `BINARY demo` on ports that are free. A line for each audit; ends with 1 if one is not kept, may it be a MUST
// or a SHOULD.
import { spawn } from 'node:child_process';
import { buildClientSchema, getIntrospectionQuery } from 'graphql';
import { serverAudits } from 'graphql-http';

const [binary] = process.argv.slice(2);
if (!binary) {
  console.error('node audits.mjs BINARY');
  process.exit(64);
}
const MOST = 10_000;
const demo = spawn(binary, ['demo', '--port', '0', '--sandbox-port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });

async function address() {
  let said = '';
  for await (const part of demo.stdout) {
    said += part;
    const [, url] = said.match(/(http:\/\/\S+\/graphql)\n/) ?? [];
    if (url) return url;
  }
  throw new Error(`the demo told no address: ${said}`);
}

let failed = 0;
function tell(name, why) {
  if (why) failed += 1;
  console.log(why ? `FAIL  ${name}: ${why}` : `ok    ${name}`);
}

try {
  const url = await address();
  demo.stdout.resume();
  const audits = serverAudits({ url, fetchFn: (to, init) => fetch(to, { ...init, signal: AbortSignal.timeout(MOST) }) });
  for (const { id, name, fn } of audits) {
    const judged = await fn().catch((error) => ({ status: 'error', reason: String(error.cause ?? error) }));
    tell(`${id} ${name}`, judged.status === 'ok' || judged.status === 'notice' ? undefined : `${judged.status}: ${judged.reason}`);
  }
  if (audits.length < 60) tell('the audits', `there are only ${audits.length}`);
  const body = JSON.stringify({ query: getIntrospectionQuery() });
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { data, errors } = await answer.json();
  tell('the schema, as graphql-js asks for it', errors ? JSON.stringify(errors) : undefined);
  if (data) buildClientSchema(data);
} finally {
  demo.kill();
}
console.log(failed ? `${failed} are not kept` : 'all are kept');
process.exitCode = failed ? 1 : 0;
