import './workers';
import 'graphiql/style.css';
import './explorer.css';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { defaultTabs, initial } from './tabs';

// Beside the page, wherever that is: a gateway behind a path prefix works too.
const fetcher = createGraphiQLFetcher({ url: new URL('graphql', document.baseURI).href });

const root = document.getElementById('explorer');
if (!root) throw new Error('The page has no #explorer element');

createRoot(root).render(
  <GraphiQL
    fetcher={fetcher}
    defaultTabs={defaultTabs}
    {...initial()}
    defaultEditorToolsVisibility
    inputValueDeprecation
    schemaDescription
    shouldPersistHeaders
  >
    <GraphiQL.Logo>Contacts gateway</GraphiQL.Logo>
  </GraphiQL>,
);
