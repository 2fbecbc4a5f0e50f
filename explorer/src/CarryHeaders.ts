// GraphiQL has headers for each tab. A tab that has none takes over those of the tab before it, so that a key is typed once.
import { pick, useGraphiQL } from '@graphiql/react';
import { useEffect, useRef } from 'react';

export function CarryHeaders() {
  const { tabs, activeTabIndex, headerEditor } = useGraphiQL(pick('tabs', 'activeTabIndex', 'headerEditor'));
  const { id, headers } = tabs[activeTabIndex] ?? {};
  const shown = useRef(id);
  const last = useRef<string | null>(null);
  useEffect(() => {
    const changed = shown.current !== id;
    shown.current = id;
    if (changed && !headers && last.current) headerEditor?.setValue(last.current);
    else last.current = headers ?? null;
  }, [id, headers, headerEditor]);
  return null;
}
