import './workers';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './explorer.css';
import './cost.css';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { CarryHeaders } from './CarryHeaders';
import { CostLine, costPlugin } from './CostPanel';
import { fetcher } from './fetcher';
import { defaultTabs, initial } from './tabs';

// Once: GraphiQL tells plugins apart by identity.
const plugins = [
  HISTORY_PLUGIN,
  { ...explorerPlugin({ showAttribution: false, hideActions: false }), title: 'Query builder' },
  costPlugin,
];

const root = document.getElementById('explorer');
if (!root) throw new Error('The page has no #explorer element');

createRoot(root).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={plugins}
    defaultTabs={defaultTabs}
    {...initial()}
    defaultEditorToolsVisibility
    inputValueDeprecation
    schemaDescription
    shouldPersistHeaders
  >
    <GraphiQL.Logo>Contacts gateway</GraphiQL.Logo>
    <GraphiQL.Footer>
      <CarryHeaders />
      <CostLine />
    </GraphiQL.Footer>
  </GraphiQL>,
);
