// The example operations of schema/examples, read when the page is built: one tab per file, in the order of their names.
export interface Example {
  query: string;
  variables: string | null;
}

const files = import.meta.glob<string>('../../schema/examples/*.graphql', {
  query: '?raw',
  import: 'default',
  eager: true,
});
// A glob, since the file may be absent: { "<file stem>": { ...variables } }
const [variables = {}] = Object.values(
  import.meta.glob<Record<string, unknown>>('../../schema/examples/variables.json', { import: 'default', eager: true }),
);

const stem = (path: string) => path.slice(path.lastIndexOf('/') + 1, -'.graphql'.length);

export const examples: Example[] = Object.keys(files)
  .sort()
  .map((path) => {
    const values = variables[stem(path)];
    return { query: files[path] ?? '', variables: values === undefined ? null : JSON.stringify(values, null, 2) };
  });
