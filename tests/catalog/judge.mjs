// The descriptions of `catalog`, judged by others: the OpenAPI by a validator, answers by the schemas in it, and the Postman collection by
// being run.
//
//   node judge.mjs BINARY
//
// Starts `BINARY sandbox` and `BINARY serve` over it, with schema/examples as trusted documents. Ends with 1 if anything does not hold.
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import SwaggerParser from '@apidevtools/swagger-parser';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import newman from 'newman';

const [binary] = process.argv.slice(2);
if (!binary) {
  console.error('node judge.mjs BINARY');
  process.exit(64);
}
const examples = resolve(import.meta.dirname, '../../schema/examples');
const folder = mkdtempSync(join(tmpdir(), 'catalog-'));
const started = [];
let failed = 0;
function tell(name, why) {
  if (why) failed += 1;
  console.log(why ? `FAIL  ${name}: ${why}` : `ok    ${name}`);
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

async function start(url, args, settings) {
  const child = spawn(resolve(binary), args, { cwd: folder, env: { PATH: process.env.PATH, ...settings }, stdio: ['ignore', 'ignore', 'inherit'] });
  started.push(child);
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return answer;
    if (child.exitCode !== null) break;
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new Error(`${args[0]} does not answer at ${url}`);
}

try {
  const given = JSON.parse(readFileSync(join(examples, 'variables.json'), 'utf8'));
  const manifest = {};
  const variables = {};
  for (const file of readdirSync(examples).filter((name) => name.endsWith('.graphql')).sort()) {
    const id = file.replace('.graphql', '');
    manifest[id] = readFileSync(join(examples, file), 'utf8');
    variables[manifest[id].match(/^(?:query|mutation|subscription) (\w+)/m)[1]] = given[id] ?? {};
  }
  const trusted = join(folder, 'manifest.json');
  writeFileSync(trusted, JSON.stringify(manifest));

  const [upstreamPort, port] = [await freePort(), await freePort()];
  const upstream = `http://127.0.0.1:${upstreamPort}`;
  const url = `http://127.0.0.1:${port}`;
  const info = await (await start(`${upstream}/__sandbox/info`, ['sandbox', '--port', String(upstreamPort)], {})).json();
  await start(`${url}/health/ready`, ['serve'], {
    GATEWAY_LISTEN: `127.0.0.1:${port}`,
    GATEWAY_UPSTREAM_URL: upstream,
    GATEWAY_LOCATION_ID: info.locationId,
    GATEWAY_API_KEY: info.token,
    GATEWAY_TRUSTED_DOCUMENTS: trusted,
    GATEWAY_TRUSTED_ONLY: 'true',
    GATEWAY_LOG: 'error',
  });
  const catalog = (form) => JSON.parse(execFileSync(resolve(binary), ['catalog', form, '--manifest', trusted, '--url', url], { encoding: 'utf8' }));

  const openapi = catalog('--openapi');
  const valid = await SwaggerParser.validate(structuredClone(openapi)).then(() => '', (error) => error.message);
  tell('the description is valid OpenAPI 3.1', valid);

  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema(openapi, 'openapi');
  for (const [path, methods] of Object.entries(openapi.paths)) {
    const name = path.replace('/operations/', '');
    if (!(name in variables)) continue;
    const at = `openapi#/paths/${path.replaceAll('/', '~1')}/post`;
    const takes = ajv.compile({ $ref: `${at}/requestBody/content/application~1json/schema` });
    tell(`${name}: its variables fit`, takes(variables[name]) ? '' : ajv.errorsText(takes.errors));
    if (!methods.post.responses[200].content['application/json']) continue;
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(variables[name]) });
    const body = await answer.json();
    const gives = ajv.compile({ $ref: `${at}/responses/200/content/application~1json/schema` });
    const fits = gives(body) ? '' : ajv.errorsText(gives.errors);
    tell(`${name}: its answer fits`, body.errors ? JSON.stringify(body.errors) : fits);
  }

  // A stream has no end that Postman's runner would wait for.
  const collection = catalog('--postman');
  collection.item = collection.item.filter((folder) => folder.name !== 'Subscriptions');
  const summary = await new Promise((done, fail) => {
    newman.run({ collection, timeoutRequest: 10_000 }, (error, summary) => (error ? fail(error) : done(summary)));
  });
  const { executions } = summary.run;
  for (const { item, response, requestError } of executions) {
    const wrong = requestError?.message ?? (response.code === 200 ? '' : `${response.code}: ${response.text()}`);
    tell(`${item.name}: Postman's runner is answered`, wrong);
  }
  tell('every operation was run', executions.length === Object.keys(variables).length - 1 ? '' : `${executions.length}`);
} catch (error) {
  tell('the judges', error.stack);
} finally {
  started.forEach((child) => child.kill());
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
