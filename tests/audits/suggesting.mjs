// A server that has the gateway's schema, graphql-js' words for what does not fit it, and nothing behind it: what
// clairvoyance.py finds out here shows that it could find something out.
//
//   node suggesting.mjs SCHEMA
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { buildSchema, graphql } from 'graphql';

const schema = buildSchema(readFileSync(process.argv[2], 'utf8'));
const server = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  const answer = await graphql({ schema, source: JSON.parse(body).query });
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(answer));
});
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
