// The query page of a build without GraphiQL: sends what the fields hold and shows what comes back.
const at = (id) => document.getElementById(id);
const endpoint = new URL('graphql', document.baseURI);
let running = 0;

function headers() {
  const set = { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json' };
  const authorization = at('authorization').value.trim();
  const location = at('location').value.trim();
  if (authorization) set.authorization = authorization;
  if (location) set['x-location-id'] = location;
  return set;
}

function body() {
  const variables = at('variables').value.trim();
  try {
    return JSON.stringify({ query: at('query').value, variables: variables ? JSON.parse(variables) : undefined });
  } catch (error) {
    at('variables').focus();
    throw new Error(`The variables are not JSON: ${error.message}`);
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function show(state, answer, wrong) {
  at('state').textContent = state;
  at('state').classList.toggle('wrong', wrong);
  if (answer !== undefined) at('answer').textContent = answer;
}

async function run() {
  const mine = ++running; // only the last one started is shown
  try {
    const payload = body();
    const started = performance.now();
    show('Waiting for the answer…', undefined, false);
    const response = await fetch(endpoint, { method: 'POST', headers: headers(), body: payload });
    const text = pretty(await response.text());
    const took = Math.round(performance.now() - started);
    if (mine === running) show(`HTTP ${response.status} after ${took} ms`, text, !response.ok || /^ {2}"errors":/m.test(text));
  } catch (error) {
    if (mine === running) show(error.message, '', true);
  }
}

at('form').addEventListener('submit', (event) => {
  event.preventDefault();
  run();
});

addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
