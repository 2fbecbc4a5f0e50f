// Gives graphql-js, the reference, the documents that tests/it/differential.rs generated and broke, with what the gateway said of each.
//
//     node differential.mjs differential.jsonl
//
// Ends with 1 where the two differ in another way than one that is known.
import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';

// Whether the gateway lets it through, what the one that refuses says, and who is right.
const known = [
  [false, /can not specify @skip or @include on root fields/, 'a rule of September 2025; graphql-js 16 is of October 2021'],
];

const schema = buildSchema(readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8'));

function refusals(document) {
  try {
    return validate(schema, parse(document)).map((error) => error.message);
  } catch (error) {
    return [error.message];
  }
}

const rows = readFileSync(process.argv[2], 'utf8').trim().split('\n').map(JSON.parse);
const same = { refused: 0, 'let through': 0 };
let explained = 0;
const differ = [];
for (const { document, refused } of rows) {
  const theirs = refusals(document);
  const lets = refused.length === 0;
  if (lets === (theirs.length === 0)) {
    same[lets ? 'let through' : 'refused'] += 1;
  } else if ([...refused, ...theirs].every((why) => known.some(([by, what]) => by === lets && what.test(why)))) {
    explained += 1;
  } else {
    differ.push({ document, refused, theirs });
  }
}
console.log(`${rows.length} documents; the gateway and graphql-js agree on`, same, `and differ in ${explained} as is known`);
for (const one of differ.slice(0, 5)) console.log(one);
if (differ.length > 0 || same.refused < 100 || same['let through'] < 100) process.exit(1);
