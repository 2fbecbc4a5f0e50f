// The API's official client against the sandbox: every call that the gateway makes, and those that go along with them,
// by somebody who wrote neither the gateway nor the sandbox. Paths, methods, encodings, classes of errors, the renewal
// of tokens and the headers about limits are the client's own idea of them.
//
//   node table.mjs BINARY [PART ...]       parts: records troubles scopes limits oauth; all of them unless some are named
//
// What is answered to a call is held against the type that the client declares for it, in whatever row it is made.
//
// Starts `BINARY sandbox` for each part, on a port of its own. A line for each call; ends with 1 if one differs.
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as sdk from '@gohighlevel/api-client';

const { HighLevel } = sdk;
const [binary, ...wanted] = process.argv.slice(2);
if (!binary) {
  console.error('node table.mjs BINARY [PART ...]');
  process.exit(64);
}
const running = [];
let failed = 0;
/** Calls whose answers were of their declared types. */
const held = new Set();

/** Runs one call and what has to hold of its answer. */
async function row(name, call) {
  try {
    await call();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${String(error?.message ?? error).split('\n').join(' ')}`);
  }
}

/** A call that has to be refused, as this class of the client's errors. */
const refused = (name, Kind, call, holds = () => {}) =>
  row(name, async () => {
    const error = await call().then(() => assert.fail('it was answered'), (error) => error);
    assert.ok(error instanceof sdk[Kind], `${error.constructor.name}: ${error.message}`);
    holds(error);
  });

/** A sandbox of its own; what a client needs to connect. */
async function sandbox(...options) {
  const child = spawn(binary, ['sandbox', '--port', '0', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  let said = '';
  for await (const part of child.stdout) {
    said += part;
    const [, url] = said.match(/on (http:\/\/\S+)\n/) ?? [];
    if (url) {
      const info = await (await fetch(`${url}/__sandbox/info`)).json();
      child.stdout.resume();
      return { ...info, url };
    }
  }
  throw new Error(`the sandbox did not start: ${said}`);
}

/** What the client declares of a part of the API: the type of each call's answer, and the keys of each type. */
function declared(part) {
  const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('@gohighlevel/api-client')), 'lib/code', part);
  const read = (file) => readFileSync(path.join(folder, file), 'utf8');
  const calls = read(`${part}.d.ts`).matchAll(/(\w+)\((?:[^()]|\([^()]*\))*\): Promise<Models\.(\w+)>/g);
  const types = read(`models/${part}.d.ts`).matchAll(/interface (\w+) \{\n([^}]*)\}/g);
  const keys = (text) => new Map(Array.from(text.matchAll(/(\w+)\??: ([^;]+);/g), ([, key, type]) => [key, type]));
  return {
    answers: new Map(Array.from(calls, ([, call, type]) => [call, type])),
    types: new Map(Array.from(types, ([, name, text]) => [name, keys(text)])),
  };
}

/** Keys of answers that the API was never seen to send, and those whose declared type is not what was seen. */
const UNSEEN = new Set(['count']);
const OTHERWISE = new Set(['value', 'attachments', 'responses']);
/** Types whose records were seen with more keys than are declared. */
const WIDER = new Set(['GetContectByIdSchema', 'CreateContactSchema', 'ContactsSearchSchema', 'ContactsSearchSuccessfulResponseDto']);

/** Fails where a value is not of the declared type; keys that are absent are absent. */
function fits(value, type, types, where) {
  if (type === 'any') return;
  if (type.endsWith('[]')) {
    assert.ok(Array.isArray(value), `${where} is no list`);
    value.forEach((item, at) => fits(item, type.slice(0, -2), types, `${where}[${at}]`));
  } else if (types.has(type)) {
    const keys = types.get(type);
    for (const [key, item] of Object.entries(value)) {
      assert.ok(keys.has(key) || key === 'traceId' || WIDER.has(type), `${where}.${key} is not declared`);
      if (keys.has(key) && !OTHERWISE.has(key)) fits(item, keys.get(key), types, `${where}.${key}`);
    }
  } else {
    assert.equal(typeof value, type, `${where} is no ${type}`);
  }
}

/** A part of the client whose answers are held against their declared types. */
function judged(service, part) {
  const { answers, types } = declared(part);
  assert.ok(answers.size > 0 && types.size > 0, `nothing is declared of ${part}`);
  const get = (target, name) => {
    const type = answers.get(name);
    if (!type) return target[name];
    return async (...given) => {
      const answer = await target[name](...given);
      const absent = [...types.get(type).keys()].filter((key) => !(key in answer) && !UNSEEN.has(key));
      assert.deepEqual(absent, [], `${name} is answered without keys that are declared`);
      fits(answer, type, types, name);
      held.add(name);
      return answer;
    };
  };
  return new Proxy(service, { get });
}

/** The client has no option for another host. */
function client(url, config) {
  const client = new HighLevel({ apiVersion: '2021-07-28', logLevel: 'none', ...config });
  client.getHttpClient().defaults.baseURL = url;
  client.contacts = judged(client.contacts, 'contacts');
  return client;
}

const parts = {
  async records() {
    const { url, token, locationId, contactId } = await sandbox('--contacts', '60');
    const api = client(url, { privateIntegrationToken: token });
    const { contacts } = api;
    let page, one;
    await row('contacts.getContacts', async () => {
      page = await contacts.getContacts({ locationId, limit: 10 });
      assert.equal(page.contacts.length, 10);
      assert.equal(page.meta.startAfterId, page.contacts[9].id);
    });
    const ids = page?.contacts.map(({ id }) => id) ?? [];
    await row('contacts.getContacts, after both values of a cursor', async () => {
      const { startAfter, startAfterId } = page.meta;
      const next = await contacts.getContacts({ locationId, limit: 10, startAfter, startAfterId });
      assert.equal(next.contacts.length, 10);
      assert.ok(next.contacts.every(({ id }) => !ids.includes(id)));
    });
    await row('contacts.getContacts, after one value alone: page one again', async () => {
      const next = await contacts.getContacts({ locationId, limit: 10, startAfter: page.meta.startAfter });
      assert.deepEqual(next.contacts.map(({ id }) => id), ids);
    });
    await row('contacts.getContact', async () => {
      one = (await contacts.getContact({ contactId })).contact;
      assert.equal(one.id, contactId);
    });
    await row('contacts.getContacts, by a mail', async () => {
      const found = await contacts.getContacts({ locationId, query: one.email });
      assert.ok(found.contacts.some(({ id }) => id === contactId));
    });
    await row('contacts.getContactsByBusinessId', async () => {
      const businessId = one.businessId;
      const found = await contacts.getContactsByBusinessId({ businessId, locationId, limit: '10', skip: '0' });
      assert.ok(found.contacts.length > 0);
    });
    await row('contacts.getAllTasks, contacts.getTask', async () => {
      const { tasks } = await contacts.getAllTasks({ contactId });
      const { task } = await contacts.getTask({ contactId, taskId: tasks[0].id });
      assert.deepEqual(task, tasks[0]);
    });
    await row('contacts.getAllNotes, contacts.getNote', async () => {
      const { notes } = await contacts.getAllNotes({ contactId });
      const { note } = await contacts.getNote({ contactId, id: notes[0].id });
      assert.deepEqual(note, notes[0]);
    });
    await row('contacts.getAppointmentsForContact', async () => {
      const { events } = await contacts.getAppointmentsForContact({ contactId });
      assert.ok(events.length > 0 && events.every((event) => event.contactId === contactId));
    });
    await writes(api, locationId);
    await refusals(api, url, locationId);
  },

  async troubles() {
    const { url, token, locationId, contactId } = await sandbox('--contacts', '5', '--quirks', 'missing-404');
    const { contacts } = client(url, { privateIntegrationToken: token });
    const fault = async (fault) => {
      const rules = JSON.stringify([{ route: 'GET /contacts/{contactId}', times: 1, ...fault }]);
      assert.equal((await fetch(`${url}/__sandbox/faults`, { method: 'POST', body: rules })).status, 200);
    };
    const status = (status) => (error) => assert.equal(error.statusCode, status);
    const getContact = () => contacts.getContact({ contactId });
    await refused('a contact that is not there, where that is 404', 'GHLNotFoundError', () => contacts.getContact({ contactId: 'x' }), status(404));
    for (const [name, rule, code] of [['500', { status: 500 }, 500], ['a page of HTML', { html: true }, 502], ['503', { status: 503 }, 503]]) {
      await fault(rule);
      await refused(`an upstream that fails: ${name}`, 'GHLServerError', getContact, status(code));
    }
    await fault({ drop: 'before' });
    await refused('a connection that is cut', 'GHLNetworkError', getContact);
    await row('and once it is over, it is answered', async () => {
      assert.equal((await getContact()).contact.id, contactId);
      assert.equal((await contacts.getContacts({ locationId, limit: 5 })).contacts.length, 5);
    });
  },

  async scopes() {
    const { url, token, locationId } = await sandbox('--contacts', '5', '--scopes', 'contacts.readonly');
    const { contacts } = client(url, { privateIntegrationToken: token });
    await row('a token that only reads reads', () => contacts.getContacts({ locationId, limit: 1 }));
    await refused(
      'a token that only reads is refused a write',
      'GHLAuthenticationError',
      () => contacts.createContact({ locationId, firstName: 'Ada' }),
      (error) => assert.match(error.message, /not authorized for this scope/),
    );
  },

  async limits() {
    const { url, token, locationId } = await sandbox('--contacts', '5', '--rate-limit', '3/600');
    const { contacts } = client(url, { privateIntegrationToken: token });
    for (let n = 0; n < 3; n += 1) await contacts.getContacts({ locationId, limit: 1 });
    await refused(
      'one call too many',
      'GHLRateLimitError',
      () => contacts.getContacts({ locationId, limit: 1 }),
      (error) => {
        assert.equal(error.statusCode, 429);
        assert.ok(error.rateLimit, 'the client read the limits');
      },
    );
  },

  async oauth() {
    const { url, locationId, companyId, oauth: app } = await sandbox('--contacts', '20', '--oauth');
    const { clientId, clientSecret, refreshToken, code } = app;
    const renew = (api, token, type) => api.oauth.refreshToken(token, clientId, clientSecret, 'refresh_token', type);
    const api = client(url, { clientId, clientSecret });
    let newest;
    await row('five calls with a dead token: one renewal, all answered', async () => {
      let renewals = 0;
      api.getHttpClient().interceptors.request.use((request) => {
        if (/oauth\/token/.test(request.url)) renewals += 1;
        return request;
      });
      await api.getSessionStorage().setSession(locationId, {
        access_token: 'at-dead', refresh_token: refreshToken, expires_in: 86399, userType: 'Location', companyId, locationId,
      });
      const five = Array.from({ length: 5 }, () => api.contacts.getContacts({ locationId, limit: 1 }));
      assert.ok((await Promise.all(five)).every(({ contacts }) => contacts.length === 1));
      assert.equal(renewals, 1);
      newest = (await api.getSessionStorage().getSession(locationId)).refresh_token;
      assert.notEqual(newest, refreshToken);
    });
    await row('oauth.refreshToken', async () => {
      const pair = await renew(api, newest, 'Location');
      assert.notEqual(pair.refresh_token, newest);
      assert.equal(pair.locationId, locationId);
      assert.equal(pair.expires_in, 86399);
      newest = pair.refresh_token;
    });
    await refused('oauth.refreshToken, by another app', 'GHLAuthenticationError', () =>
      api.oauth.refreshToken(newest, clientId, 'wrong', 'refresh_token', 'Location'));
    await row('oauth.refreshToken of a company, oauth.getLocationAccessToken', async () => {
      const pair = await renew(api, newest, 'Company');
      assert.equal(pair.userType, 'Company');
      newest = pair.refresh_token;
      const { access_token, refresh_token } = pair;
      const session = { access_token, refresh_token, expires_in: 86399, userType: 'Company', companyId };
      await api.getSessionStorage().setSession(companyId, session);
      const exchanged = await api.oauth.getLocationAccessToken({ companyId, locationId });
      assert.ok(exchanged.access_token);
      assert.equal(exchanged.locationId, locationId);
    });
    const redirect_uri = 'http://127.0.0.1/oauth/callback';
    await row('oauth.getAccessToken, with a code', async () => {
      const form = { client_id: clientId, client_secret: clientSecret, grant_type: 'authorization_code', code };
      const pair = await api.oauth.getAccessToken({ ...form, user_type: 'Location', redirect_uri });
      assert.equal(pair.userType, 'Location');
    });
    await row('oauth.getAuthorizationUrl asks what the page expects', () => {
      const asked = new URL(api.oauth.getAuthorizationUrl(clientId, redirect_uri, 'contacts.readonly')).searchParams;
      assert.equal(asked.get('response_type'), 'code');
      assert.equal(asked.get('client_id'), clientId);
      assert.equal(asked.get('redirect_uri'), redirect_uri);
    });
    const isInvalid = (error) => assert.match(JSON.stringify(error.response), /invalid_grant/);
    await refused('a used refresh token', 'GHLValidationError', () => renew(api, refreshToken, 'Location'), isInvalid);
    await refused('and its newest successor', 'GHLValidationError', () => renew(api, newest, 'Location'), isInvalid);
  },
};

async function writes(api, locationId) {
  const { contacts } = api;
  const email = 'ada@table.example';
  let contactId, taskId, noteId;
  await row('contacts.createContact', async () => {
    const customFields = [{ id: 'cf1', field_value: 'gold' }];
    const made = await contacts.createContact({ locationId, firstName: 'Ada', email, tags: ['new'], customFields });
    contactId = made.contact.id;
    const { contact } = await contacts.getContact({ contactId });
    assert.deepEqual(contact.customFields, [{ id: 'cf1', value: 'gold' }]);
  });
  await refused(
    'contacts.createContact, with a mail that is there',
    'GHLValidationError',
    () => contacts.createContact({ locationId, firstName: 'Ada', email }),
    (error) => assert.equal(error.response.meta.contactId, contactId),
  );
  await row('contacts.updateContact', async () => {
    const { succeded, contact } = await contacts.updateContact({ contactId }, { lastName: 'King', tags: ['only'] });
    assert.ok(succeded);
    assert.deepEqual([contact.firstName, contact.lastName, contact.tags], ['Ada', 'King', ['only']]);
  });
  for (const key of ['companyName', 'locationId', 'gender', 'nonsense']) {
    await refused(
      `contacts.updateContact, with ${key}`,
      'GHLValidationError',
      () => contacts.updateContact({ contactId }, { [key]: 'x' }),
      (error) => assert.match(error.message, new RegExp(`property ${key} should not exist`)),
    );
  }
  await row('contacts.addTags, contacts.removeTags', async () => {
    assert.deepEqual((await contacts.addTags({ contactId }, { tags: ['vip'] })).tags, ['only', 'vip']);
    assert.deepEqual((await contacts.removeTags({ contactId }, { tags: ['only'] })).tags, ['vip']);
  });
  await row('contacts.createTask', async () => {
    const wanted = { title: 'Call', body: 'Twice', dueDate: '2026-12-09T12:00:00Z', completed: false };
    const { task } = await contacts.createTask({ contactId }, wanted);
    taskId = task.id;
    assert.deepEqual((await contacts.getAllTasks({ contactId })).tasks.map(({ id }) => id), [taskId]);
  });
  await refused('contacts.createTask, without a date', 'GHLValidationError', () =>
    contacts.createTask({ contactId }, { title: 'Call' }));
  await row('contacts.updateTask, contacts.updateTaskCompleted', async () => {
    const { task } = await contacts.updateTask({ contactId, taskId }, { title: 'Write' });
    assert.deepEqual([task.title, task.body], ['Write', 'Twice']);
    const done = await contacts.updateTaskCompleted({ contactId, taskId }, { completed: true });
    assert.equal(done.task.completed, true);
  });
  await row('contacts.deleteTask', async () => {
    assert.ok((await contacts.deleteTask({ contactId, taskId })).succeded);
  });
  await refused('contacts.getTask, of one that is gone', 'GHLValidationError', () => contacts.getTask({ contactId, taskId }));
  await row('contacts.createNote, contacts.updateNote', async () => {
    const { note } = await contacts.createNote({ contactId }, { body: 'Likes tea', title: 'Taste', pinned: true });
    noteId = note.id;
    const changed = await contacts.updateNote({ contactId, id: noteId }, { body: 'Likes coffee' });
    assert.deepEqual([changed.note.body, changed.note.title], ['Likes coffee', 'Taste']);
  });
  await row('contacts.deleteNote', async () => {
    assert.ok((await contacts.deleteNote({ contactId, id: noteId })).succeded);
    assert.deepEqual((await contacts.getAllNotes({ contactId })).notes, []);
  });
  await row('contacts.getDuplicateContact', async () => {
    assert.equal((await contacts.getDuplicateContact({ locationId, email })).contact.id, contactId);
    assert.equal((await contacts.getDuplicateContact({ locationId, email: 'no@table.example' })).contact, null);
  });
  await row('contacts.searchContactsAdvanced, page after page and by filter', async () => {
    const search = (more) => contacts.searchContactsAdvanced({ locationId, pageLimit: 3, ...more }, { headers: { locationId } });
    const first = await search({});
    assert.equal(first.contacts.length, 3);
    const next = await search({ searchAfter: first.contacts[2].searchAfter });
    assert.ok(next.total === first.total && next.contacts.every(({ id }) => first.contacts.every((row) => row.id !== id)));
    const [{ id }] = next.contacts;
    const filters = [{ group: 'OR', filters: [{ field: 'id', operator: 'eq', value: id }, { field: 'email', operator: 'eq', value: email }] }];
    assert.deepEqual((await search({ filters })).contacts.map((row) => row.id).sort(), [id, contactId].sort());
  });
  await refused('contacts.searchContactsAdvanced without a limit', 'GHLValidationError', () => contacts.searchContactsAdvanced({ locationId }));
  await row('locations.taskSearch', async () => {
    const ids = (await contacts.getContacts({ locationId, limit: 20 })).contacts.map((row) => row.id);
    const { tasks } = await api.locations.taskSearch({ locationId }, { contactId: ids, limit: 5, skip: 0 });
    assert.ok(tasks.length === 5 && tasks.every((task) => task._id && ids.includes(task.contactId)));
  });
  await row('calendars.getCalendarEvents', async () => {
    const ids = (await contacts.getContacts({ locationId, limit: 20 })).contacts.map((row) => row.id);
    const all = await Promise.all(ids.map((contactId) => contacts.getAppointmentsForContact({ contactId })));
    const [event] = all.flatMap(({ events }) => events);
    const window = { startTime: '1500000000000', endTime: '1900000000000' };
    const { events } = await api.calendars.getCalendarEvents({ locationId, calendarId: event.calendarId, ...window }, { headers: { Version: '2021-04-15' } });
    assert.ok(events.some(({ id }) => id === event.id) && events.every(({ calendarId }) => calendarId === event.calendarId));
  });
  await row('contacts.upsertContact, of one that is there and of one that is not', async () => {
    const there = await contacts.upsertContact({ locationId, email, firstName: 'Augusta' });
    assert.deepEqual([there.new, there.contact.id, there.contact.firstName], [false, contactId, 'Augusta']);
    assert.equal((await contacts.upsertContact({ locationId, email: 'eve@table.example' })).new, true);
  });
  await row('contacts.addContactToWorkflow, contacts.deleteContactFromWorkflow', async () => {
    const at = { eventStartTime: '2026-12-09T12:00:00+00:00' };
    assert.ok((await contacts.addContactToWorkflow({ contactId, workflowId: 'w1' }, at)).succeded);
    assert.ok((await contacts.deleteContactFromWorkflow({ contactId, workflowId: 'w1' }, at)).succeded);
  });
  await row('contacts.addContactToCampaign, contacts.removeContactFromCampaign, ...FromEveryCampaign', async () => {
    assert.ok((await contacts.addContactToCampaign({ contactId, campaignId: 'c1' }, {})).succeded);
    assert.ok((await contacts.removeContactFromCampaign({ contactId, campaignId: 'c1' })).succeded);
    assert.ok((await contacts.removeContactFromEveryCampaign({ contactId })).succeded);
  });
  await row('contacts.addFollowersContact, contacts.removeFollowersContact', async () => {
    const added = await contacts.addFollowersContact({ contactId }, { followers: ['u1', 'u2'] });
    assert.deepEqual([added.followers, added.followersAdded], [['u1', 'u2'], ['u1', 'u2']]);
    const left = await contacts.removeFollowersContact({ contactId }, { followers: ['u1'] });
    assert.deepEqual([left.followers, left.followersRemoved], [['u2'], ['u1']]);
  });
  await row('contacts.createAssociation, of tags and of many', async () => {
    const wanted = { contacts: [contactId, 'nobody'], tags: ['many'], locationId };
    const { succeded, errorCount, responses } = await contacts.createAssociation({ type: 'add' }, wanted);
    assert.deepEqual([succeded, errorCount, responses[0].tagsAdded], [false, 1, ['many']]);
  });
  await row('contacts.addRemoveContactFromBusiness', async () => {
    const wanted = { locationId, ids: [contactId], businessId: 'b1' };
    assert.deepEqual((await contacts.addRemoveContactFromBusiness(wanted)).ids, [contactId]);
    const found = await contacts.getContactsByBusinessId({ businessId: 'b1', locationId });
    assert.deepEqual(found.contacts.map(({ id }) => id), [contactId]);
  });
  await row('contacts.deleteContact', async () => {
    assert.ok((await contacts.deleteContact({ contactId })).succeded);
  });
  await refused(
    'contacts.getContact, of one that is gone: 400, not 404',
    'GHLValidationError',
    () => contacts.getContact({ contactId }),
    (error) => assert.equal(error.statusCode, 400),
  );
}

async function refusals(api, url, locationId) {
  const { contacts } = api;
  await refused('another location', 'GHLForbiddenError', () => contacts.getContacts({ locationId: 'LOC_other', limit: 1 }));
  await refused('a page of more than a hundred', 'GHLValidationError', () => contacts.getContacts({ locationId, limit: 101 }));
  await refused('an unknown version', 'GHLAuthenticationError', () =>
    contacts.getContact({ contactId: 'x' }, { headers: { Version: '1999-01-01' } }));
  await refused('a token that is none', 'GHLAuthenticationError', () =>
    client(url, { privateIntegrationToken: 'pit-none' }).contacts.getContact({ contactId: 'x' }));
  await refused(
    'an id that looks like a path stays an id',
    'GHLValidationError',
    () => contacts.getContact({ contactId: 'a/../b?c#d' }),
    (error) => assert.match(JSON.stringify(error.response), /a\/\.\.\/b\?c#d/),
  );
}

try {
  for (const name of wanted.length ? wanted : Object.keys(parts)) {
    console.log(`-- ${name}`);
    await parts[name]();
  }
} finally {
  for (const child of running) child.kill();
}
console.log(`${held.size} calls were answered as their types are declared`);
console.log(failed ? `${failed} differ` : 'all hold');
process.exitCode = failed ? 1 : 0;
