// What the editors show first. GraphiQL keeps its tabs in the browser's storage but fills the variables and headers
// editors only from these props, so the tab that was open last is handed to it again.
import { examples, type Example } from './examples';

const WELCOME = `# Nothing leaves this page until you run it: Ctrl+Enter, or the pink button.
# The book at the left opens the schema's documentation.

{
  __typename
}
`;

interface Tab {
  query?: string | null;
  variables?: string | null;
  headers?: string | null;
}

function lastOpen(): Tab | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem('graphiql:tabState') ?? 'null') as {
      tabs?: Tab[];
      activeTabIndex?: number;
    } | null;
    return kept?.tabs?.[kept.activeTabIndex ?? 0];
  } catch {
    return undefined; // storage is switched off, or holds something else
  }
}

export const defaultTabs: Example[] = examples.length ? examples : [{ query: WELCOME, variables: null }];

export function initial() {
  const tab: Tab = lastOpen() ?? defaultTabs[0] ?? {};
  return {
    initialQuery: tab.query ?? undefined,
    initialVariables: tab.variables ?? undefined,
    initialHeaders: tab.headers ?? undefined,
  };
}
