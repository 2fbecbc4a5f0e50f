// The panel that shows what the last operation cost upstream, with its calls as a waterfall, and the line below the
// answer that sums it up.
import type { GraphiQLPlugin } from '@graphiql/react';
import { type Call, type Cost, type TooMuch, useCost } from './cost';

const TITLE = 'Cost';

const count = (n: number, one: string) => `${n} ${one}${n === 1 ? '' : 's'}`;
const ms = (time: number) => `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`;
const isRefused = (cost: Cost | TooMuch): cost is TooMuch => 'allowed' in cost;

function Icon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round">
      <path d="M3 3v18h18M7 7h6M9 12h8M14 17h5" />
    </svg>
  );
}

function Facts({ cost }: { cost: Cost }) {
  const facts: [string, string | number, string][] = [
    ['Planned', cost.planned, 'calls that it needs at most'],
    ['Calls', cost.calls, 'sent upstream, each try counted'],
    ['Held', cost.cacheHits, 'readings answered from memory'],
    ['Shared', cost.coalesced, 'readings that others had begun'],
    ['Quota left', cost.quotaRemaining ?? 'not told', 'calls until the window or the day ends'],
    ['Took', ms(cost.durationMs), 'in the gateway'],
  ];
  return (
    <dl className="cost-facts">
      {facts.map(([name, value, meaning]) => (
        <div key={name} title={meaning}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Row({ call, whole }: { call: Call; whole: number }) {
  const percent = (time: number) => `${(100 * time) / whole}%`;
  return (
    <li>
      <span className="cost-route">{call.route}</span>
      <span className="cost-track" aria-hidden="true">
        <span
          className={call.outcome === 'ok' ? 'cost-bar' : 'cost-bar cost-bad'}
          style={{ left: percent(call.startMs), width: percent(call.durationMs) }}
        />
      </span>
      <span className="cost-time">
        {call.outcome === 'ok' ? '' : `${call.outcome.replaceAll('_', ' ')}, `}
        {ms(call.durationMs)}
      </span>
    </li>
  );
}

function Waterfall({ cost }: { cost: Cost }) {
  if (cost.timeline.length === 0) {
    return <p>Nothing was asked upstream: everything was held, or somebody else had asked for it already.</p>;
  }
  const whole = Math.max(cost.durationMs, ...cost.timeline.map((call) => call.startMs + call.durationMs));
  const untold = cost.calls - cost.timeline.length;
  return (
    <>
      <h3>Calls, by when they were sent</h3>
      <ol className="cost-waterfall">
        {cost.timeline.map((call, place) => (
          <Row key={place} call={call} whole={whole} />
        ))}
      </ol>
      {untold > 0 && <p>{count(untold, 'later call')} not shown.</p>}
    </>
  );
}

function Panel() {
  const cost = useCost();
  return (
    <section className="cost-panel" aria-label={TITLE}>
      <h2>Cost upstream</h2>
      {cost === undefined ? (
        <p>Run a query or a mutation, and this shows what it took: calls, what memory had, and when each call was sent.</p>
      ) : isRefused(cost) ? (
        <p>
          Refused before any call: it would need {count(cost.planned, 'call')}, and {cost.allowed} are allowed.
        </p>
      ) : (
        <>
          <Facts cost={cost} />
          <Waterfall cost={cost} />
        </>
      )}
    </section>
  );
}

export const costPlugin: GraphiQLPlugin = { title: TITLE, icon: Icon, content: Panel };

// GraphiQL's own button is pressed, since nothing else unfolds a pane that is folded.
const open = () => document.querySelector<HTMLElement>(`[aria-label="Show ${TITLE}"]`)?.click();

/** The cost in a line. */
export function CostLine() {
  const cost = useCost();
  if (cost === undefined) return null;
  const said = isRefused(cost)
    ? `refused: ${cost.planned} calls planned, ${cost.allowed} allowed`
    : `${count(cost.calls, 'upstream call')} of ${cost.planned} planned, ${cost.cacheHits} held, ${ms(cost.durationMs)}`;
  return (
    <button type="button" className="cost-line" onClick={open}>
      {said}
    </button>
  );
}
