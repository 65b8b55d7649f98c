import assert from 'node:assert/strict';
import test from 'node:test';
import { addTransactionCapability, DEFAULT_CONNECTION_CONFIG } from 'baileys';
import { Hold, sending } from '../src/hold.mjs';
import { silent } from '../src/log.mjs';

const library = DEFAULT_CONNECTION_CONFIG.makeSignalRepository;
const turn = () => new Promise(setImmediate);

/** A hold over a library that "decrypts" by moving a ratchet, and what is written, batch by batch. */
async function held(work, { hear = async () => ({ event: 'inbound' }), patience = 20 } = {}) {
  const [records, batches, forgotten] = [new Map(), [], []];
  const keys = addTransactionCapability(
    {
      get: async (type, ids) => Object.fromEntries(ids.filter(id => records.has(`${type} ${id}`)).map(id => [id, records.get(`${type} ${id}`)])),
      set: async data => {
        batches.push(Object.entries(data).flatMap(([type, values]) => Object.keys(values).map(id => `${type} ${id}`)));
        for (const [type, values] of Object.entries(data)) for (const id in values) records.set(`${type} ${id}`, values[id]);
      },
    },
    silent,
    { maxCommitRetries: 1, delayBetweenTriesMs: 0 },
  );
  const waiting = [];
  const handOver = () => new Promise(resolve => waiting.push(resolve));
  const hold = new Hold(hear, handOver, ids => forgotten.push(...ids), patience);
  const calls = { decrypt: 0, isInTransaction: null };
  const ratchet = name => async ({ jid }) => {
    calls[name] = (calls[name] ?? 0) + 1;
    calls.isInTransaction = keys.isInTransaction();
    await keys.transaction(async () => keys.set({ session: { [jid]: { moved: calls[name] } } }), jid);
    return Buffer.from('plain');
  };
  DEFAULT_CONNECTION_CONFIG.makeSignalRepository = () => ({
    decryptMessage: ratchet('decrypt'),
    encryptMessage: ratchet('encrypt'),
    validateSession: async () => ({ exists: true }),
  });
  try {
    await work({ hold, repository: hold.repository({ keys }, silent), keys, records, batches, forgotten, waiting, calls });
  } finally {
    DEFAULT_CONNECTION_CONFIG.makeSignalRepository = library;
  }
}

const stanza = (ciphers, attrs = {}) => ({
  tag: 'message',
  attrs: { id: '3EB0AA', from: 'a@lid', ...attrs },
  content: ciphers.map(content => ({ tag: 'enc', attrs: { type: 'msg' }, content })),
});

test('a message is the library\'s once it is safe; until then it lies beside the ratchet that it moved, in one batch', () =>
  held(async ({ hold, repository, batches, forgotten, waiting }) => {
    const ciphertext = Buffer.from('x');
    hold.see(stanza([ciphertext]));
    let got = null;
    void repository.decryptMessage({ jid: 'a', type: 'msg', ciphertext }).then(plain => (got = plain));
    await turn();
    assert.deepEqual(batches, [['session a', 'pending-inbound 3EB0AA|a@lid||0']]);
    assert.deepEqual([got, forgotten, waiting.length], [null, [], 1]);
    waiting[0](true);
    await turn();
    assert.equal(String(got), 'plain');
    assert.deepEqual(forgotten, ['3EB0AA|a@lid||0']);
  }));

test('one that was not safe when the session closed is never the library\'s, and comes again without being decrypted', () =>
  held(async ({ hold, repository, forgotten, waiting, calls }) => {
    const once = async answer => {
      const ciphertext = Buffer.from('x');
      hold.see(stanza([ciphertext]));
      let got = null;
      void repository.decryptMessage({ jid: 'a', type: 'msg', ciphertext }).then(plain => (got = plain));
      await turn();
      waiting.pop()(answer);
      await turn();
      return got;
    };
    assert.equal(await once(false), null);
    assert.deepEqual(forgotten, []);
    assert.equal(String(await once(true)), 'plain');
    assert.equal(calls.decrypt, 1);
  }));

test('a stanza of several ciphertexts is kept whole until its last one is safe', () =>
  held(async ({ hold, repository, forgotten, waiting }) => {
    const [keys, text] = [Buffer.from('k'), Buffer.from('t')];
    hold.see(stanza([keys, text]));
    const first = repository.decryptMessage({ jid: 'a', type: 'pkmsg', ciphertext: keys });
    await turn();
    waiting.pop()(true);
    await first;
    assert.deepEqual(forgotten, []);
    const second = repository.decryptMessage({ jid: 'a', type: 'msg', ciphertext: text });
    await turn();
    waiting.pop()(true);
    await second;
    assert.equal(forgotten.length, 2);
  }));

test('encrypting is stored before its ciphertext is anybody\'s, also within the library\'s own transaction', () =>
  held(async ({ repository, keys, batches, calls }) => {
    const note = { hasEncrypted: false };
    await sending(note, () =>
      keys.transaction(async () => {
        await repository.validateSession('a');
        assert.equal(note.hasEncrypted, false);
        await repository.encryptMessage({ jid: 'a', data: Buffer.from('x') });
        assert.deepEqual(batches, [['session a']], 'the socket would be written to now');
        assert.equal(note.hasEncrypted, true);
      }, 'me'),
    );
    assert.equal(calls.isInTransaction, false);
    assert.equal(batches.length, 1, 'and not a second time');
  }));

test('what came before the login has been delivered when the last of it is safe', () =>
  held(async ({ hold, repository, waiting }) => {
    const ciphers = [Buffer.from('1'), Buffer.from('2')];
    ciphers.forEach((ciphertext, at) => hold.see(stanza([ciphertext], { id: `${at}`, offline: '0' })));
    let drained = false;
    void hold.drained().then(() => (drained = true));
    for (const ciphertext of ciphers) {
      const work = repository.decryptMessage({ jid: 'a', type: 'msg', ciphertext });
      await turn();
      assert.equal(drained, false);
      waiting.pop()(true);
      await work;
    }
    await turn();
    assert.equal(drained, true);
  }));

test('a stanza that the library drops is not waited for, one that the supervisor has in hand is', () =>
  held(async ({ hold, repository, waiting }) => {
    hold.see(stanza([Buffer.from('dropped')], { offline: '0' }));
    await hold.drained();
    const ciphertext = Buffer.from('slow');
    hold.see(stanza([ciphertext], { offline: '1' }));
    hold.see(stanza([Buffer.from('dropped too')], { offline: '2' }));
    const work = repository.decryptMessage({ jid: 'a', type: 'msg', ciphertext });
    const early = await Promise.race([hold.drained().then(() => 'drained'), new Promise(resolve => setTimeout(resolve, 100, 'waits'))]);
    assert.equal(early, 'waits');
    waiting.pop()(true);
    await work;
    await hold.drained();
  }));
