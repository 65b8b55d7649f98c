// One session's vault, seen from the bridge. Changes are staged, readable at once, and written in batches; `settled` is what the
// wire waits for, so nothing leaves for WhatsApp before what was staged earlier is on disk, whatever the library awaits.

/** How long strict changes wait for company when nothing waits for them, in milliseconds. */
const SOON = 20;
/** The same for lazy ones. */
const RIDE = 100;
/** A vault that is away for so long is lost. */
const AWAY = 30_000;
/** The longest pause between two tries. */
const PAUSE = 2_000;
/** Records asked for at a time. */
const PAGE = 1_000;
/** Bounds of a batch. */
const MAX_RECORDS = 10_000;
const MAX_BYTES = 5 * 1024 * 1024;
/** Questions without an answer; the supervisor takes more than 32 for a breach. */
const UNANSWERED = 16;

/** The vault is lost to this session: fenced, away for too long, or closed. Nothing may be written to the network any more. */
export class Lost extends Error {
  constructor(reason) {
    super('the session\'s vault is lost');
    this.name = 'Lost';
    this.reason = reason;
  }
}

/** @typedef {{kind: string, key: string, value: Buffer | null, expires?: number}} Change `value: null` removes; `expires`: milliseconds since 1970. */

const place = (kind, key) => `${kind}\0${key}`;
const size = ({ key, value }) => Buffer.byteLength(key) + (value?.length ?? 0);
const base64 = text => Buffer.from(text).toString('base64');

/** @param {Change} change */
function told({ kind, key, value, expires }) {
  if (value === null) return { op: 'del', kind, key: base64(key) };
  const put = { op: 'put', kind, key: base64(key), value: value.toString('base64') };
  return expires === undefined ? put : { ...put, expires_at_ms: expires };
}

export class Vault {
  #key;
  #wire;
  #clock;
  /** Staged and not taken yet. @type {Map<string, Change>} */
  #ahead = new Map();
  /** Taken by the commit that is under way. @type {Map<string, Change>} */
  #taken = new Map();
  /** The batch that is being collected, the last one with something strict in it, the last that is on disk. */
  #collecting = 1;
  #strict = 0;
  #written = 0;
  #writing = false;
  #timer;
  /** @type {{batch: number, resolve: () => void, reject: (error: Error) => void}[]} */
  #waiting = [];
  #unanswered = 0;
  /** @type {(() => void)[]} */
  #queue = [];
  /** Why it is lost, a reason of `closed`; `null` while it is not. @type {string | null} */
  doom = null;
  /** Told the reason once. */
  onDoom = reason => void reason;
  /** Calls made. */
  calls = 0;

  /** @param {{sleep: (ms: number) => Promise<void>, now: () => number}} [clock] */
  constructor(key, wire, clock = { sleep: ms => new Promise(resolve => setTimeout(resolve, ms)), now: Date.now }) {
    this.#key = key;
    this.#wire = wire;
    this.#clock = clock;
  }

  #lose(reason) {
    if (this.doom === null) {
      this.doom = reason;
      clearTimeout(this.#timer);
      for (const { reject } of this.#waiting.splice(0)) reject(new Lost(reason));
      this.onDoom(reason);
    }
    return new Lost(this.doom);
  }

  /** Asks, and asks again while the vault is away. */
  async #ask(call) {
    while (this.#unanswered >= UNANSWERED) await new Promise(resolve => this.#queue.push(resolve));
    this.#unanswered += 1;
    try {
      return await this.#insist(call);
    } finally {
      this.#unanswered -= 1;
      this.#queue.shift()?.();
    }
  }

  async #insist(call) {
    const begun = this.#clock.now();
    for (let pause = 50; ; pause = Math.min(pause * 2, PAUSE)) {
      if (this.doom !== null) throw new Lost(this.doom);
      this.calls += 1;
      const outcome = await this.#wire.ask(this.#key, call);
      if (outcome.error === undefined) return outcome.ok;
      if (outcome.error.code === 'fenced') throw this.#lose('fenced');
      if (outcome.error.code !== 'unavailable' || this.#clock.now() - begun >= AWAY) throw this.#lose('vault_lost');
      await this.#clock.sleep(pause);
    }
  }

  /** The first call: `{writer?, clean, now_ms}`. */
  async open() {
    return this.#ask({ call: 'open' });
  }

  /**
   * Values, in the order of the keys; of what is staged the staged one.
   * @param {string} kind @param {string[]} keys
   * @returns {Promise<(Buffer | null)[]>}
   */
  async get(kind, keys) {
    const staged = keys.map(key => this.#ahead.get(place(kind, key)) ?? this.#taken.get(place(kind, key)));
    const wanted = keys.filter((_, at) => staged[at] === undefined);
    const found = wanted.length === 0 ? [] : (await this.#ask({ call: 'get', kind, keys: wanted.map(base64) })).values;
    let at = 0;
    return staged.map(change => {
      if (change !== undefined) return change.value;
      const value = found[at++];
      return typeof value === 'string' ? Buffer.from(value, 'base64') : null;
    });
  }

  /** All keys of a kind that are on disk. @returns {Promise<string[]>} */
  async list(kind) {
    const keys = [];
    for (let after; ;) {
      const page = await this.#ask({ call: 'list', kind, prefix: '', ...(after && { after }), limit: PAGE });
      for (const { key } of page.records) keys.push(Buffer.from(key, 'base64').toString());
      after = page.records.at(-1)?.key;
      if (!page.more || after === undefined) return keys;
    }
  }

  /** Takes changes. Readable at once; a later change of a record takes the place of an earlier one. */
  stage(changes, strict) {
    if (this.doom !== null) throw new Lost(this.doom);
    if (changes.length === 0) return;
    for (const change of changes) {
      const at = place(change.kind, change.key);
      this.#ahead.delete(at);
      this.#ahead.set(at, change);
    }
    if (strict && this.#strict < this.#collecting) {
      this.#strict = this.#collecting;
      this.#due(SOON);
    } else {
      this.#timer ??= setTimeout(() => void this.#write(), RIDE);
    }
  }

  #due(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#write(), ms);
  }

  /** Resolves when every strict change staged so far is on disk. Throws `Lost`. */
  async settled() {
    return this.#until(this.#strict);
  }

  /** Resolves when everything staged so far is on disk. Throws `Lost`. */
  async flush() {
    return this.#until(this.#ahead.size > 0 ? this.#collecting : this.#collecting - 1);
  }

  #until(batch) {
    if (this.doom !== null) return Promise.reject(new Lost(this.doom));
    if (this.#written >= batch) return Promise.resolve();
    const written = new Promise((resolve, reject) => this.#waiting.push({ batch, resolve, reject }));
    void this.#write();
    return written;
  }

  /** One commit at a time. A batch beyond the bounds is several, in order. */
  async #write() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing) return;
    this.#writing = true;
    try {
      while (this.#ahead.size > 0 && this.doom === null) {
        const batch = this.#collecting++;
        [this.#taken, this.#ahead] = [this.#ahead, new Map()];
        for (const part of parts([...this.#taken.values()])) await this.#ask({ call: 'commit', changes: part.map(told) });
        this.#taken = new Map();
        this.#written = batch;
        const due = this.#waiting.filter(waiting => waiting.batch <= batch);
        this.#waiting = this.#waiting.filter(waiting => waiting.batch > batch);
        for (const { resolve } of due) resolve();
        // What came meanwhile and nobody waits for collects company.
        if (this.#waiting.length === 0) break;
      }
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    } finally {
      this.#writing = false;
    }
    if (this.#ahead.size > 0 && this.doom === null) this.#due(this.#strict === this.#collecting ? SOON : RIDE);
  }

  /** Writes what waits and marks an orderly close: the last word. What the library's own tasks still want finds it lost. */
  async close() {
    await this.flush();
    await this.#ask({ call: 'close' });
    this.#lose('requested');
  }
}

/** @param {Change[]} changes */
function parts(changes) {
  const all = [];
  let part = [];
  let bytes = 0;
  for (const change of changes) {
    const more = size(change);
    if (part.length > 0 && (part.length === MAX_RECORDS || bytes + more > MAX_BYTES)) {
      all.push(part);
      [part, bytes] = [[], 0];
    }
    part.push(change);
    bytes += more;
  }
  if (part.length > 0) all.push(part);
  return all;
}
