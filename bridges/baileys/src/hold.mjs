// Between the library and its Signal store. Two things the library does not do by itself, by the hook it offers
// (`makeSignalRepository`):
//
// - An inbound message is acknowledged once the supervisor has it. The library sends its receipt right after decrypting; so
//   decrypting is not done before the event is confirmed. What was decrypted lies in the vault meanwhile, in one batch with the
//   ratchet that it moved: it comes again, and cannot be decrypted twice.
// - The library encrypts and writes to the socket inside one transaction, whose changes are stored after it. Encrypting is taken
//   out of that transaction: a ratchet is staged before its ciphertext is anybody's, and the socket waits for what is staged.
import { AsyncLocalStorage } from 'node:async_hooks';
import { DEFAULT_CONNECTION_CONFIG } from 'baileys';

/** Runs outside every transaction of the library. Taken where there is none. */
const outside = AsyncLocalStorage.snapshot();
/** Notes of the send that is under way. */
const sends = new AsyncLocalStorage();
/** What is decrypted and not confirmed. */
const PENDING = 'pending-inbound';
/** How long a stanza from before the login may show no sign of being dealt with, in milliseconds. */
const PATIENCE = 10_000;
/** What moves or shows ratchets and takes one argument, besides encrypting and decrypting. */
const RATCHETS = [
  'injectE2ESession',
  'validateSession',
  'deleteSession',
  'getSenderKeyDistributionMessage',
  'processSenderKeyDistributionMessage',
  'hasSenderKey',
  'getSessionInfo',
];

/** @typedef {{node: any, at: number, count: number, stanza: {kept: string[]}}} Seen One ciphertext of a stanza. */

export class Hold {
  #hear;
  #handOver;
  #forget;
  /** By the bytes themselves, which the library passes on as they are. @type {WeakMap<object, Seen>} */
  #seen = new WeakMap();
  /** Stanzas from before the login that are not dealt with; those of them that wait for the supervisor. */
  #offline = 0;
  #inHand = 0;
  /** @type {(() => void)[]} */
  #waiting = [];
  #patience;

  /**
   * @param {(node: any, plain: Uint8Array) => Promise<object | null>} hear The event of a message; `null` when it is none.
   * @param {(event: object) => Promise<boolean>} handOver Whether it is safe; `false`: the session closes.
   * @param {(ids: string[]) => void} forget Removes what was kept.
   * @param {number} [patience] See `drained`, milliseconds.
   */
  constructor(hear, handOver, forget, patience = PATIENCE) {
    this.#patience = patience;
    this.#hear = hear;
    this.#handOver = handOver;
    this.#forget = forget;
  }

  /** A message's stanza came. Before the library sees it. */
  see(node) {
    const ciphers = Array.isArray(node.content) ? node.content.filter(child => isCipher(child)) : [];
    const stanza = { kept: [] };
    ciphers.forEach(({ content }, at) => this.#seen.set(content, { node, at, count: ciphers.length, stanza }));
    if (node.attrs.offline && ciphers.length > 0) this.#offline += 1;
  }

  /**
   * Resolves when what was owed from before the login has been dealt with. The library drops a stanza that it does not like
   * without a word; when nothing more happens, and nothing waits for the supervisor, those are not waited for.
   */
  async drained() {
    while (this.#offline > 0) {
      const before = this.#offline;
      let timer;
      await Promise.race([
        new Promise(resolve => this.#waiting.push(resolve)),
        new Promise(resolve => (timer = setTimeout(resolve, this.#patience))),
      ]);
      clearTimeout(timer);
      if (this.#offline === before && this.#inHand === 0) this.#offline = 0;
    }
  }

  #done({ node }) {
    if (!node.attrs.offline) return;
    this.#offline = Math.max(0, this.#offline - 1);
    for (const waiting of this.#waiting.splice(0)) waiting();
  }

  /** The library's hook. */
  repository = (auth, logger, lookUp) => {
    const library = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, logger, lookUp);
    // One at a time: an account's ratchets go by two names, and the library locks by name.
    let last = Promise.resolve();
    const inTurn = work => {
      const done = last.then(() => outside(work));
      last = done.catch(() => {});
      return done;
    };
    const encrypting = name => args => {
      const send = sends.getStore();
      if (send) send.hasEncrypted = true;
      return inTurn(() => library[name](args));
    };
    const decrypting = (name, cipher, key) => args =>
      this.#take(auth.keys, this.#seen.get(args[cipher]), inTurn, () => library[name](args), args[key]);
    return {
      ...library,
      ...Object.fromEntries(RATCHETS.map(name => [name, args => inTurn(() => library[name](args))])),
      migrateSession: (from, to) => inTurn(() => library.migrateSession(from, to)),
      encryptMessage: encrypting('encryptMessage'),
      encryptGroupMessage: encrypting('encryptGroupMessage'),
      decryptMessage: decrypting('decryptMessage', 'ciphertext', 'jid'),
      decryptGroupMessage: decrypting('decryptGroupMessage', 'msg', 'group'),
    };
  };

  async #take(keys, seen, inTurn, decrypt, lock) {
    if (!seen) return inTurn(decrypt);
    try {
      const plain = await this.#decrypted(keys, seen, inTurn, decrypt, lock);
      const event = await this.#hear(seen.node, plain);
      // Not confirmed: the library never gets it, and so acknowledges nothing. Its socket is closing.
      this.#inHand += 1;
      const isSafe = event === null || (await this.#handOver(event));
      this.#inHand -= 1;
      if (!isSafe) return await new Promise(() => {});
      if (seen.at + 1 === seen.count && seen.stanza.kept.length > 0) this.#forget(seen.stanza.kept);
      return plain;
    } finally {
      if (seen.at + 1 === seen.count) this.#done(seen);
    }
  }

  async #decrypted(keys, seen, inTurn, decrypt, lock) {
    const { from, participant = '', id } = seen.node.attrs;
    const place = `${id}|${from}|${participant}|${seen.at}`;
    const { [place]: before } = await outside(() => keys.get(PENDING, [place]));
    seen.stanza.kept.push(place);
    if (before) return before;
    return inTurn(() =>
      keys.transaction(async () => {
        const plain = await decrypt();
        await keys.set({ [PENDING]: { [place]: Buffer.from(plain) } });
        return plain;
      }, lock),
    );
  }
}

const isCipher = ({ tag, attrs, content }) => tag === 'enc' && attrs?.type !== 'msmsg' && content instanceof Uint8Array;

/** Runs a send. `note.hasEncrypted` tells, when it fails, whether something may have left. */
export const sending = (note, work) => sends.run(note, work);
