// The library's auth state over a session's vault. A record is JSON, in the library's own form, so that the version before can
// read it. `/bridges/baileys/README.md` says which kinds are strict.
import { BufferJSON, initAuthCreds, proto } from 'baileys';

/** Where the account's own record lies. */
const CREDS = 'creds';
/** Kinds that are fetched anew when they are missed: they ride along with others. */
const LAZY = new Set(['device_list', 'tctoken', 'sender_key_memory', 'sent']);
/** Kinds that are asked for mostly in vain: their keys are listed once, and "there is none" is answered here. */
const LISTED = ['session', 'identity_key', 'lid_mapping', 'tctoken', 'device_list', 'pending_inbound'];
/** Kinds that are read with every message: what was read or written of late is kept. */
const KEPT = new Set(['session', 'identity_key', 'lid_mapping', 'tctoken', 'device_list', 'sender_key', 'sender_key_memory']);
/** How many records are kept. */
const KEPT_RECORDS = 512;
/** Kinds that go away by themselves, and after how many milliseconds. */
const EXPIRES = new Map([
  ['pending_inbound', 7 * 24 * 3_600_000],
  ['sent', 2 * 3_600_000],
]);

/** `pre-key` as the vault names it. */
const kindOf = type => type.replaceAll('-', '_');
const encode = value => Buffer.from(JSON.stringify(value, BufferJSON.replacer));
const decode = bytes => JSON.parse(bytes.toString(), BufferJSON.reviver);

export class Store {
  #vault;
  #now;
  /** @type {Map<string, Set<string>>} */
  #listed = new Map();
  /** Least lately used first. @type {Map<string, Buffer>} */
  #kept = new Map();
  /** The account, as the library reads it and writes into it. */
  creds;

  constructor(vault, now) {
    this.#vault = vault;
    this.#now = now;
  }

  /** Reads the account and the indexes. Throws `Lost`. @param {import('./vault.mjs').Vault} vault */
  static async open(vault, now = Date.now) {
    const store = new Store(vault, now);
    const [creds, ...lists] = await Promise.all([vault.get(CREDS, ['']), ...LISTED.map(kind => vault.list(kind))]);
    LISTED.forEach((kind, at) => store.#listed.set(kind, new Set(lists[at])));
    const found = creds[0] && decode(creds[0]);
    // The library takes a device that only asked for a code to be typed for one that is linked, and would log in with it.
    store.creds = found?.account ? found : initAuthCreds();
    return store;
  }

  /** Whether there is a linked device in it. */
  get isPaired() {
    return Boolean(this.creds.account);
  }

  /** Whether it is linked and has made no one-time keys yet. */
  get isFirstLogin() {
    return this.isPaired && this.creds.nextPreKeyId === 1;
  }

  /** What the library changed in the account. Nothing is kept of a device that is not linked. */
  saveCreds() {
    if (this.isPaired) this.#vault.stage([{ kind: CREDS, key: '', value: encode(this.creds) }], true);
  }

  /** Users whose hidden id is known. */
  knownUsers() {
    return [...this.#listed.get('lid_mapping')].filter(key => !key.endsWith('_reverse'));
  }

  #keep(kind, key, bytes) {
    if (!KEPT.has(kind)) return;
    const at = `${kind}\0${key}`;
    this.#kept.delete(at);
    this.#kept.set(at, bytes);
    if (this.#kept.size > KEPT_RECORDS) this.#kept.delete(this.#kept.keys().next().value);
  }

  /** Values by id, of those that are there. The library's `SignalKeyStore.get`. */
  async get(type, ids) {
    const kind = kindOf(type);
    const listed = this.#listed.get(kind);
    const found = new Map();
    const asked = [];
    for (const id of ids) {
      const kept = this.#kept.get(`${kind}\0${id}`);
      if (kept !== undefined) found.set(id, kept);
      else if (listed === undefined || listed.has(id)) asked.push(id);
    }
    if (asked.length > 0) {
      const values = await this.#vault.get(kind, asked);
      asked.forEach((id, at) => values[at] !== null && found.set(id, values[at]));
    }
    const result = {};
    for (const [id, bytes] of found) {
      this.#keep(kind, id, bytes);
      const value = decode(bytes);
      result[id] = type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(value) : value;
    }
    return result;
  }

  /** Writes and, by `null`, removes. All of it is in one batch. The library's `SignalKeyStore.set`. */
  async set(data) {
    const strict = [];
    const lazy = [];
    for (const [type, values] of Object.entries(data)) {
      const kind = kindOf(type);
      for (const [id, value] of Object.entries(values)) {
        const change = this.#change(kind, id, value ?? null);
        if (change !== null) (LAZY.has(kind) ? lazy : strict).push(change);
      }
    }
    this.#vault.stage(lazy, false);
    this.#vault.stage(strict, true);
  }

  #change(kind, key, value) {
    const listed = this.#listed.get(kind);
    if (value === null) {
      this.#kept.delete(`${kind}\0${key}`);
      if (listed !== undefined && !listed.delete(key)) return null;
      return { kind, key, value };
    }
    const bytes = encode(value);
    if (this.#kept.get(`${kind}\0${key}`)?.equals(bytes)) return null;
    listed?.add(key);
    this.#keep(kind, key, bytes);
    const life = EXPIRES.get(kind);
    return { kind, key, value: bytes, ...(life !== undefined && { expires: this.#now() + life }) };
  }

  /** Removes without hurry. */
  forget(type, ids) {
    const changes = ids.map(id => this.#change(kindOf(type), id, null)).filter(change => change !== null);
    this.#vault.stage(changes, false);
  }
}
