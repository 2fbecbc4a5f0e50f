// What the last operation cost upstream. Each is sent with the header that asks for it, and what the answer tells of it
// goes to the cost panel instead of the answer pane, unless the headers editor asked for it itself.
import { useSyncExternalStore } from 'react';

export interface Call {
  route: string;
  startMs: number;
  durationMs: number;
  outcome: string;
}

export interface Cost {
  planned: number;
  calls: number;
  cacheHits: number;
  coalesced: number;
  quotaRemaining: number | null;
  durationMs: number;
  timeline: Call[];
}

/** Refused before any call, since it needs more of them than allowed. */
export interface TooMuch {
  planned: number;
  allowed: number;
}

interface Answer {
  errors?: { extensions?: Partial<TooMuch> }[];
  extensions?: { upstream?: Cost };
}

const EXPLAIN = 'x-gateway-explain';

let last: Cost | TooMuch | undefined;
const watchers = new Set<() => void>();

function watch(watcher: () => void) {
  watchers.add(watcher);
  return () => {
    watchers.delete(watcher);
  };
}

export const useCost = () => useSyncExternalStore(watch, () => last);

export function tellCost(cost: typeof last) {
  last = cost;
  for (const watcher of watchers) watcher();
}

function tooMuch(answer: Answer): TooMuch | undefined {
  for (const { extensions: { planned, allowed } = {} } of answer.errors ?? []) {
    if (planned !== undefined && allowed !== undefined) return { planned, allowed };
  }
}

/** `fetch`, which asks what the answer cost. */
export async function explained(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const headers = new Headers(init?.headers);
  const asked = headers.has(EXPLAIN);
  if (!asked) headers.set(EXPLAIN, '1');
  const response = await fetch(input, { ...init, headers });
  const answer = (await response.json()) as Answer;
  tellCost(answer.extensions?.upstream ?? tooMuch(answer));
  if (!asked && answer.extensions) {
    delete answer.extensions.upstream;
    if (Object.keys(answer.extensions).length === 0) delete answer.extensions;
  }
  return Response.json(answer);
}
