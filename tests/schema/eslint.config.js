import graphql from '@graphql-eslint/eslint-plugin';
import { readFileSync } from 'node:fs';

const schema = new URL('../../schema/schema.graphql', import.meta.url).pathname;

// What has an identity is what caches keep by it.
const things = ['Appointment', 'Contact', 'Location', 'Note', 'Task'];
const types = Array.from(readFileSync(schema, 'utf8').matchAll(/^type (\w+)/gm), ([, name]) => name);
const others = types.filter((name) => !things.includes(name));

export default [
  {
    files: ['**/*.graphql'],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      '@graphql-eslint/strict-id-in-types': ['error', { exceptions: { types: others } }],
      // It takes no exceptions, and a note's text is what readers of profiles ask for by the name `note`.
      '@graphql-eslint/no-typename-prefix': 'off',
    },
  },
];
