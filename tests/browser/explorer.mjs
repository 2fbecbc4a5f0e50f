// The explorer as its user meets it: in a real browser, against `demo`.
//
//   node explorer.mjs BINARY [FOLDER]       FOLDER: where pictures are written to, as the README shows them
//
// CHROMIUM names the browser, /usr/bin/chromium unless it says otherwise. Names of other hosts are not resolved there, so
// what is not in the binary is missed. A line for each row; ends with 1 if one fails.
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { chromium } from 'playwright-core';

const [binary, pictures] = process.argv.slice(2);
if (!binary) {
  console.error('node explorer.mjs BINARY [FOLDER]');
  process.exit(64);
}
const DESK = { width: 1200, height: 740 };
const PHONE = { width: 390, height: 844 };

/** `demo` on free ports. */
async function demo() {
  const child = spawn(binary, ['demo', '--port', '0', '--sandbox-port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const part of child.stdout) {
    said += part;
    const [, url] = said.match(/GraphiQL +(http:\/\/\S+)\n/) ?? [];
    if (url) {
      child.stdout.resume();
      return { child, url };
    }
  }
  throw new Error(`the demo did not start: ${said}`);
}

let failed = 0;

/** Runs one step and what has to hold of it. The next steps begin where it ends. */
async function row(name, step) {
  try {
    await step();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${String(error?.message ?? error).split('\n').slice(0, 4).join(' ')}`);
  }
}

/** What must not happen: requests to other hosts, and errors in the console. */
const outside = new Set();
const errors = [];
/** Whether a refused request is part of the step; the browser tells each in the console. */
let refusal = false;

function watch(page, url) {
  const { host } = new URL(url);
  const seen = (address) => {
    const to = new URL(address);
    if (!['data:', 'blob:'].includes(to.protocol) && to.host !== host) outside.add(address);
  };
  page.on('request', (request) => seen(request.url()));
  page.on('websocket', (socket) => seen(socket.url()));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    const expected = refusal && /Failed to load resource.*400/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !expected) errors.push(message.text());
  });
}

/** The page's parts, by what their users call them. */
class Explorer {
  constructor(page) {
    this.page = page;
    this.run = page.getByRole('button', { name: /Execute query/ });
    this.stop = page.getByRole('button', { name: /Stop query/ });
    this.query = page.getByRole('region', { name: 'Operation Editor' }).locator('.monaco-editor').first();
    this.answer = page.locator('.graphiql-response');
    this.cost = page.locator('.cost-line');
  }

  /** The text of an editor as it is shown, without its line numbers. */
  static text(part) {
    return part.locator('.view-line').allInnerTexts().then((lines) => lines.join('\n').replaceAll('\u00a0', ' '));
  }

  async shows(part, wanted) {
    const end = Date.now() + 8000;
    for (;;) {
      const text = await Explorer.text(part);
      // Lines are wrapped where there is no more room.
      if (text.replace(/\s+/g, '').includes(wanted.replace(/\s+/g, ''))) return;
      if (Date.now() > end) assert.fail(`${wanted} is not in: ${text}`);
      await this.page.waitForTimeout(50);
    }
  }

  /** Writes over what is in an editor. */
  async write(part, text) {
    await part.locator('.view-lines:visible').first().click();
    await this.page.keyboard.press('ControlOrMeta+A');
    // By a paste, since the editor closes brackets that are typed.
    await this.page.evaluate((pasted) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', pasted);
      document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    }, text);
    // GraphiQL takes an edit over only after a pause.
    await this.page.waitForTimeout(400);
  }

  async reload() {
    await this.page.reload();
    // Its editors come last.
    await this.shows(this.query, '{');
  }

  async tab(name) {
    await this.page.getByRole('tab').filter({ hasText: name }).first().click();
  }

  async picture(name) {
    if (!pictures) return;
    await this.page.mouse.move(0, 0);
    await this.page.waitForTimeout(400);
    await this.page.screenshot({ path: path.join(pictures, `${name}.png`) });
  }
}

const { child, url } = await demo();
setTimeout(() => {
  console.log('FAIL  it takes too long');
  child.kill();
  process.exit(1);
}, 180_000).unref();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
});
const page = await browser.newPage({ viewport: DESK, colorScheme: 'light' });
page.setDefaultTimeout(8000);
watch(page, url);
const explorer = new Explorer(page);

await row('the page comes with the example operations in its tabs', async () => {
  await page.goto(url);
  assert.match(await page.title(), /^GraphiQL/, 'this build has no GraphiQL');
  await explorer.shows(explorer.query, 'query Profile');
  const tabs = await page.getByRole('tab').allInnerTexts();
  assert.ok(tabs.length >= 13 && tabs[0].trim() === 'Profile', tabs.join());
});
await row('the first tab answers at a click, with the values that it came with', async () => {
  await explorer.run.click();
  await explorer.shows(explorer.answer, '"name": "Amara Lindqvist"');
});
await row('the line below the answer tells its cost, and opens the panel with the calls', async () => {
  assert.match(await explorer.cost.innerText(), /^4 upstream calls of 4 planned, 0 held, /);
  await explorer.cost.click();
  const panel = page.getByRole('region', { name: 'Cost' });
  const facts = await panel.locator('dl > div').allInnerTexts();
  assert.deepEqual(facts.slice(0, 4).map((fact) => fact.split(/\s+/)), [['Planned', '4'], ['Calls', '4'], ['Held', '0'], ['Shared', '0']]);
  const routes = await panel.locator('.cost-route').allInnerTexts();
  const below = ['', '/appointments', '/notes', '/tasks'].map((rest) => `GET /contacts/{contactId}${rest}`);
  assert.deepEqual(routes.sort(), below);
  await explorer.picture('explorer');
});
await row('asked again it costs nothing', async () => {
  await explorer.run.click();
  await page.getByText('Nothing was asked upstream').waitFor();
  assert.match(await explorer.cost.innerText(), /^0 upstream calls of 0 planned, 4 held, /);
  await page.getByRole('button', { name: 'Hide Cost' }).click();
});
await row('another value of a variable brings another answer', async () => {
  await explorer.write(page.getByRole('region', { name: 'Variables' }), '{ "id": "nobody" }');
  await page.keyboard.press('Control+Enter');
  await explorer.shows(explorer.answer, '"contact": null');
});
await row('what is wrong with a query is told in the answer', async () => {
  refusal = true;
  await explorer.write(explorer.query, '{ contact(id: "x") { nmae } }');
  await page.keyboard.press('Control+Enter');
  await explorer.shows(explorer.answer, 'does not have a field `nmae`');
  await explorer.shows(explorer.answer, 'GRAPHQL_VALIDATION_FAILED');
});
await row('the docs lead from a type to its fields and on to theirs', async () => {
  refusal = false;
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  const docs = page.locator('.graphiql-doc-explorer');
  await docs.getByText('Query', { exact: true }).first().click();
  await docs.getByText('contactsByBusiness').click();
  await docs.getByText('ContactConnection').first().click();
  await docs.getByText('totalCount').waitFor();
  await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
});
await row('a query is built by clicking', async () => {
  await explorer.write(explorer.query, 'query Built { gateway { version } }');
  await page.getByRole('button', { name: 'Show Query builder' }).click();
  await page.locator('.docExplorerWrap').getByText('scopes', { exact: true }).click();
  await explorer.shows(explorer.query, 'version scopes');
  await explorer.run.click();
  await explorer.shows(explorer.answer, '"contacts.write"');
  await page.getByRole('button', { name: 'Hide Query builder' }).click();
});
await row('a header is sent, and is still there when the page comes back', async () => {
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await explorer.write(page.getByRole('region', { name: 'Headers' }), '{ "authorization": "Bearer key" }');
  await page.waitForTimeout(600);
  await explorer.reload();
  await explorer.shows(explorer.query, 'Built');
  const sent = page.waitForRequest((request) => request.method() === 'POST' && /Built/.test(request.postData() ?? ''));
  await explorer.run.click();
  assert.equal(await (await sent).headerValue('authorization'), 'Bearer key');
  await explorer.shows(explorer.answer, '"contacts.write"');
});
await row('what ran is in the history', async () => {
  await page.getByRole('button', { name: 'Show History' }).click();
  await page.getByRole('region', { name: 'History' }).getByText('Built').first().waitFor();
  await page.getByRole('button', { name: 'Hide History' }).click();
});
await row('a subscription tells a change as it happens, until it is stopped', async () => {
  await explorer.tab('WatchAContact');
  await explorer.shows(explorer.query, 'subscription WatchAContact');
  const sent = [];
  const subscribed = new Promise((resolve) => {
    page.once('websocket', (opened) =>
      opened.on('framesent', ({ payload }) => {
        sent.push(JSON.parse(payload));
        if (sent.at(-1).type === 'subscribe') resolve(opened);
      }),
    );
  });
  await explorer.run.click();
  const socket = await subscribed;
  const query = `mutation { addContactTags(input: { contactId: "aM4raLqv7XbT2kW9hE3z", tags: ["seen live"] }) { contact { id } } }`;
  await fetch(new URL('graphql', url), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }) });
  await explorer.shows(explorer.answer, '"kind": "UPDATED"');
  await explorer.shows(explorer.answer, '"seen live"');
  await explorer.picture('explorer-subscription');
  const closed = socket.waitForEvent('close');
  await explorer.stop.click();
  await closed;
  assert.equal(sent.at(-1).type, 'complete');
  // The header of the tab before.
  assert.deepEqual(sent[0], { type: 'connection_init', payload: { authorization: 'Bearer key' } });
});
await row('the keyboard alone runs a tab and opens its cost', async () => {
  await page.getByRole('button', { name: 'FindContacts', exact: true }).focus();
  await page.keyboard.press('Enter');
  await explorer.run.focus();
  await page.keyboard.press('Enter');
  await explorer.shows(explorer.answer, 'Lindqvist');
  await explorer.cost.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'Cost' }).waitFor();
});
await row('it is dark where the system is', async () => {
  const shade = () => page.evaluate(() => getComputedStyle(document.querySelector('.graphiql-container')).backgroundColor);
  const light = await shade();
  await page.emulateMedia({ colorScheme: 'dark' });
  await explorer.reload();
  assert.notEqual(await shade(), light);
  await explorer.tab('ContactsWithNextSteps');
  await explorer.shows(explorer.query, 'query ContactsWithNextSteps');
  await explorer.run.click();
  await explorer.shows(explorer.answer, '"nodes"');
  await page.getByRole('region', { name: 'Cost' }).locator('.cost-route').first().waitFor();
  await explorer.picture('explorer-dark');
});
await row('a phone shows it in one column, with nothing beside it', async () => {
  await page.setViewportSize(PHONE);
  await explorer.reload();
  await explorer.tab('ContactsWithNextSteps');
  await explorer.shows(explorer.query, 'query ContactsWithNextSteps');
  await explorer.run.click();
  await explorer.shows(explorer.answer, '"nodes"');
  const wide = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth));
  assert.ok(wide <= PHONE.width, `${wide} px`);
  const { width } = await explorer.answer.boundingBox();
  assert.ok(width > 300, `the answer has ${width} px`);
  await explorer.cost.scrollIntoViewIfNeeded();
  const { y, height } = await explorer.query.boundingBox();
  const below = (await explorer.answer.boundingBox()).y;
  assert.ok(y + height <= below, `the query goes down to ${y + height}, the answer begins at ${below}`);
  await page.getByRole('button', { name: 'Hide Cost' }).click();
  await explorer.picture('explorer-phone');
});
await row('no error in the console', () => assert.deepEqual(errors, []));
await row('no request to another host', () => assert.deepEqual([...outside], []));

await browser.close();
child.kill('SIGINT');
await once(child, 'exit');
console.log(failed ? `${failed} fail` : 'all hold');
process.exitCode = failed ? 1 : 0;
