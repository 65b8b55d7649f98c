import assert from 'node:assert/strict';
import test from 'node:test';
import { Outbox } from '../src/outbox.mjs';
import { Store } from '../src/store.mjs';
import { Lost, Vault } from '../src/vault.mjs';

const KEY = { session: 'ses_1', epoch: 1 };
const put = (kind, key, value) => ({ kind, key, value: Buffer.from(value) });
const text = encoded => Buffer.from(encoded, 'base64').toString();

/** A vault over records in memory; `answer` may say something else. Calls are held until `hold` is released. */
function vault(answer = () => undefined, clock) {
  const records = new Map();
  const calls = [];
  const gate = { held: null };
  const well = ({ call, kind, keys, changes }) => {
    if (call === 'get') return { is: 'values', values: keys.map(key => records.get(`${kind} ${text(key)}`) ?? null) };
    if (call === 'list') {
      const keys = [...records.keys()].filter(at => at.startsWith(`${kind} `)).map(at => at.slice(kind.length + 1));
      return { is: 'page', records: keys.map(key => ({ key: Buffer.from(key).toString('base64') })), more: false };
    }
    for (const { op, kind, key, value } of changes ?? []) {
      const at = `${kind} ${text(key)}`;
      if (op === 'put') records.set(at, value);
      else records.delete(at);
    }
    return call === 'open' ? { is: 'header', clean: true, now_ms: 0 } : { is: 'done' };
  };
  const wire = {
    async ask(_, call) {
      calls.push(call);
      await gate.held;
      const other = answer(call);
      return other === undefined ? { ok: well(call) } : { error: { code: other } };
    },
  };
  const told = () => calls.filter(({ call }) => call === 'commit').map(({ changes }) => changes.map(({ kind, key }) => `${kind} ${text(key)}`));
  return { vault: new Vault(KEY, wire, clock), records, calls, gate, told };
}

test('lazy changes are read before they are written, and ride with a strict batch', async () => {
  const { vault: it, calls, told } = vault();
  it.stage([put('sent', 'a', '1')], false);
  assert.deepEqual((await it.get('sent', ['a'])).map(String), ['1']);
  assert.equal(calls.length, 0, 'nobody was asked');
  it.stage([put('session', 'b', '2')], true);
  await it.settled();
  assert.deepEqual(told(), [['sent a', 'session b']]);
});

test('lazy changes do not hold up the wire, and what is written later is in the next batch', async () => {
  const { vault: it, told } = vault();
  it.stage([put('sent', 'a', '1')], false);
  await it.settled();
  assert.deepEqual(told(), [], 'nothing is owed');
  await it.flush();
  it.stage([put('sent', 'a', '2')], false);
  it.stage([{ kind: 'sent', key: 'a', value: null }], false);
  await it.flush();
  assert.deepEqual(told(), [['sent a'], ['sent a']], 'the last word, once');
});

test('the wire waits for the strict changes staged before it, and for none after it', async () => {
  const { vault: it, gate, told } = vault();
  let release;
  gate.held = new Promise(resolve => (release = resolve));
  it.stage([put('session', 'a', '1')], true);
  let left = false;
  const frame = it.settled().then(() => (left = true));
  it.stage([put('session', 'b', '1')], true);
  await new Promise(setImmediate);
  assert.equal(left, false);
  assert.deepEqual((await Promise.race([it.get('session', ['a', 'b'])])).map(String), ['1', '1'], 'readable while under way');
  release();
  await frame;
  await it.settled();
  assert.deepEqual(told().flat(), ['session a', 'session b']);
});

test('a vault that is away is asked again and lost after half a minute', async () => {
  let now = 0;
  const clock = { now: () => now, sleep: async ms => void (now += ms) };
  const { vault: it, calls } = vault(() => 'unavailable', clock);
  const reasons = [];
  it.onDoom = reason => reasons.push(reason);
  it.stage([put('session', 'a', '1')], true);
  await assert.rejects(it.settled(), Lost);
  assert.ok(now >= 30_000 && now < 33_000, `${now} ms`);
  assert.ok(calls.length >= 10 && calls.length < 100, `${calls.length} times`);
  assert.deepEqual(reasons, ['vault_lost']);
  const asked = calls.length;
  await assert.rejects(it.get('session', ['x']), Lost);
  assert.throws(() => it.stage([put('session', 'a', '1')], true), Lost);
  assert.equal(calls.length, asked, 'nothing is asked any more');
});

test('a vault that comes back is written once', async () => {
  let tries = 0;
  const clock = { now: () => 0, sleep: async () => {} };
  const { vault: it, records } = vault(() => (tries++ < 3 ? 'unavailable' : undefined), clock);
  it.stage([put('session', 'a', '1')], true);
  await it.settled();
  assert.equal(tries, 4);
  assert.equal(records.size, 1);
});

for (const [word, reason] of [['fenced', 'fenced'], ['sealed', 'vault_lost'], ['invalid', 'vault_lost']]) {
  test(`a vault that answers ${word} is lost at once`, async () => {
    const { vault: it, calls } = vault(() => word);
    await assert.rejects(it.open(), Lost);
    assert.equal(it.doom, reason);
    assert.equal(calls.length, 1);
  });
}

test('a close writes what waits and is the last word', async () => {
  const { vault: it, calls } = vault();
  it.stage([put('sent', 'a', '1')], false);
  await it.close();
  assert.deepEqual(calls.map(({ call }) => call), ['commit', 'close']);
  await assert.rejects(it.get('sent', ['a']), Lost);
});

test('a batch beyond the bounds is several commits in order', async () => {
  const { vault: it, told } = vault();
  const big = Buffer.alloc(2 << 20);
  it.stage(Array.from({ length: 5 }, (_, at) => ({ kind: 'pre_key', key: `${at}`, value: big })), true);
  await it.settled();
  assert.deepEqual(told().map(batch => batch.length), [2, 2, 1]);
});

test('no more than 16 questions are unanswered', async () => {
  const { vault: it, calls, gate } = vault();
  let release;
  gate.held = new Promise(resolve => (release = resolve));
  const all = Array.from({ length: 40 }, (_, at) => it.get('pre_key', [`${at}`]));
  await new Promise(setImmediate);
  assert.equal(calls.length, 16);
  release();
  await Promise.all(all);
  assert.equal(calls.length, 40);
});

test('a store answers from its indexes what is not there, and from what it read of late what is', async () => {
  const { vault: it, calls } = vault();
  const store = await Store.open(it);
  const opened = calls.length;
  assert.deepEqual(await store.get('session', ['1.0', '2.0']), {});
  await store.set({ session: { '1.0': { ratchet: Buffer.from('abc') } } });
  assert.deepEqual(await store.get('session', ['1.0', '2.0']), { '1.0': { ratchet: Buffer.from('abc') } });
  await it.flush();
  assert.deepEqual(await store.get('session', ['1.0']), { '1.0': { ratchet: Buffer.from('abc') } });
  assert.deepEqual(calls.slice(opened).map(({ call }) => call), ['commit']);
});

test('a store writes a record that did not change, or was never there, not at all', async () => {
  const { vault: it, told } = vault();
  const store = await Store.open(it);
  const session = { '1.0': { ratchet: 1 } };
  await store.set({ session });
  await it.flush();
  await store.set({ session, 'lid-mapping': { 7: null } });
  await it.flush();
  assert.deepEqual(told(), [['session 1.0']]);
});

test('one call of the library is one batch, and what can be fetched anew does not hold up the wire', async () => {
  const { vault: it, told } = vault();
  const store = await Store.open(it);
  await store.set({ tctoken: { a: { token: 1 } }, 'device-list': { b: ['0'] } });
  await it.settled();
  assert.deepEqual(told(), []);
  await store.set({ session: { c: {} }, 'pending-inbound': { d: Buffer.from('x') }, 'pre-key': { 5: null } });
  await it.settled();
  assert.deepEqual(told(), [['tctoken a', 'device_list b', 'session c', 'pending_inbound d', 'pre_key 5']]);
});

test('what is kept for a while says when it goes', async () => {
  const { vault: it, calls } = vault();
  const store = await Store.open(it, () => 1_000);
  await store.set({ sent: { a: Buffer.from('x') }, session: { b: {} } });
  await it.flush();
  const commit = calls.find(({ call }) => call === 'commit');
  assert.deepEqual(commit.changes.map(change => change.expires_at_ms), [1_000 + 2 * 3_600_000, undefined]);
});

test('nothing is kept of a device that is not linked, and another store reads one that is', async () => {
  const { vault: it, told } = vault();
  const store = await Store.open(it);
  store.creds.me = { id: '15551230009@s.whatsapp.net' };
  store.saveCreds();
  await it.flush();
  assert.deepEqual(told(), []);
  assert.notEqual((await Store.open(it)).creds.noiseKey.private, store.creds.noiseKey.private);
  store.creds.account = { details: Buffer.from('d') };
  store.saveCreds();
  await it.flush();
  const again = await Store.open(it);
  assert.ok(again.isPaired);
  assert.deepEqual(Buffer.from(again.creds.noiseKey.private), Buffer.from(store.creds.noiseKey.private));
});

function outbox(window) {
  const frames = [];
  const box = new Outbox(KEY, { say: frame => frames.push(frame) }, window);
  const rooms = [];
  box.onRoom = hasRoom => rooms.push(hasRoom);
  return { box, frames, rooms };
}

test('events are numbered without gaps and wait for the window', async () => {
  const { box, frames, rooms } = outbox(2);
  const all = [1, 2, 3].map(at => box.report({ event: 'undecryptable', wa_id: `${at}` }));
  await Promise.all(all.slice(0, 2));
  assert.deepEqual(frames.map(({ seq }) => seq), [1, 2]);
  assert.deepEqual(rooms, [false], 'the socket waits');
  box.confirm([1]);
  await all[2];
  assert.deepEqual(frames.map(({ event }) => event.wa_id), ['1', '2', '3']);
  assert.equal(frames[2].seq, 3);
});

test('a message is safe once it is confirmed, and not when the session closes', async () => {
  const { box, frames } = outbox(8);
  const [safe, lost] = [box.handOver({ event: 'inbound' }), box.handOver({ event: 'inbound' })];
  await new Promise(setImmediate);
  box.confirm([1]);
  assert.equal(await safe, true);
  box.close();
  assert.equal(await lost, false);
  assert.equal(await box.handOver({ event: 'inbound' }), false);
  assert.equal(frames.length, 2);
});

test('closed is the last event, beyond the window', async () => {
  const { box, frames } = outbox(1);
  await box.report({ event: 'connected' });
  const waiting = box.report({ event: 'offline_synced' });
  await box.end({ event: 'closed', reason: 'requested' });
  await waiting;
  await box.report({ event: 'connected' });
  assert.deepEqual(frames.map(({ event }) => event.event), ['connected', 'offline_synced', 'closed']);
});
