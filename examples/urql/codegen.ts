import type { CodegenConfig } from '@graphql-codegen/cli';

export default {
  schema: '../../schema/schema.graphql',
  documents: ['src/**/*.ts', '!src/gql/**'],
  generates: {
    'src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        enumsAsTypes: true,
        importExtension: '.js',
        useTypeImports: true,
        // Scalars as they are in JSON.
        scalars: { DateTime: 'string', JSON: 'unknown' },
        strictScalars: true,
      },
    },
  },
} satisfies CodegenConfig;
