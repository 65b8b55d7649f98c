// One open of one session: from the vault to `closed`. It never connects twice.
import makeWASocket, { proto, S_WHATSAPP_NET } from 'baileys';
import * as address from './address.mjs';
import { Failure } from './failure.mjs';
import { inbound, receipts } from './hear.mjs';
import { Hold } from './hold.mjs';
import { stock, taking } from './keys.mjs';
import { kind, note, silent } from './log.mjs';
import { Outbox } from './outbox.mjs';
import { route } from './routes.mjs';
import { Store } from './store.mjs';
import { Lost, Vault } from './vault.mjs';
import { ofError, ofFailure, ofStreamError } from './verdict.mjs';
import { isReadable } from './versions.mjs';

/** What an orderly close may take before it is cut short, in milliseconds. */
const CLOSE = 5_000;
/** How long a server may take to close its side. */
const FAREWELL = 1_000;
/** The request that proves a login. */
const PROOF = 10_000;
/** The first code is good for so long, each later one for that. */
const FIRST_CODE = 60_000;
const NEXT_CODE = 20_000;

const { CIPHERTEXT } = proto.WebMessageInfo.StubType;

const within = (ms, work) => {
  let timer;
  const late = new Promise(resolve => (timer = setTimeout(resolve, ms)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

export class Session {
  #key;
  #outbox;
  #vault;
  /** @type {Store} */
  #store;
  #socket;
  #agent;
  /** Whether its proxy leads anywhere, if it has one. */
  #way;
  #hold;
  /** Messages whose ack is awaited: the library resends by itself when a peer asks, and those acks are none of ours. */
  #unacked = new Set();
  /** Sends that are under way. @type {Set<Promise<unknown>>} */
  #sends = new Set();
  /** How it ends, first come: `{lost}`, `{wish}` or `{error}`. */
  #end;
  #ends;
  /** What a stanza said of the end. */
  #verdict = null;
  #codes = 0;
  /** Reports that have to leave before `closed`. */
  #pairing = null;
  #traffic = { frames_out: 0, frames_in: 0, bytes_out: 0, bytes_in: 0 };
  #over;
  /** Resolves when it has let go of everything. @type {Promise<void>} */
  ended;
  /** `connecting`, `pairing`, `connected` or `closing`. */
  state = 'connecting';

  constructor(key, wire, window) {
    this.#key = key;
    this.#outbox = new Outbox(key, wire, window);
    this.#vault = new Vault(key, wire);
    this.#end = new Promise(resolve => (this.#ends = resolve));
    this.ended = new Promise(resolve => (this.#over = resolve));
    this.#vault.onDoom = reason => this.#ends({ lost: reason });
    this.#hold = new Hold(
      (node, plain) => inbound(node, plain, this.me, lid => this.#socket.signalRepository.lidMapping.getPNForLID(lid)),
      event => this.#outbox.handOver(event),
      ids => this.#store.forget('pending-inbound', ids),
    );
  }

  get epoch() {
    return this.#key.epoch;
  }

  /** The account: `{id, lid?, name?}`. */
  get me() {
    return this.#store.creds.me;
  }

  get store() {
    return this.#store;
  }

  /** What fetches media. */
  get agent() {
    return this.#agent;
  }

  /** The library's socket, if it is logged in. Throws `no_link`. */
  get loggedIn() {
    if (this.state !== 'connected') throw new Failure('no_link');
    return this.#socket;
  }

  /** The library's socket while it shows codes. Throws `no_link`, `not_pairing`. */
  get showingCodes() {
    if (!this.#socket) throw new Failure('no_link');
    if (this.state !== 'pairing') throw new Failure('not_pairing');
    return this.#socket;
  }

  confirm(seqs) {
    this.#outbox.confirm(seqs);
  }

  stats() {
    return { ...this.#traffic, vault_calls: this.#vault.calls, unconfirmed: this.#outbox.unconfirmed };
  }

  /** Ends it in good order and waits for that. The first of several is the one that counts. */
  async close(logOut = false) {
    this.#ends({ wish: logOut ? 'log_out' : 'close' });
    await this.ended;
  }

  /** A send is waited for when the session closes. */
  async duringSend(work) {
    this.#sends.add(work);
    try {
      return await work;
    } finally {
      this.#sends.delete(work);
    }
  }

  expectAck(waId) {
    this.#unacked.add(waId);
  }

  forgetAck(waId) {
    return this.#unacked.delete(waId);
  }

  /** A request to WhatsApp. @returns {Promise<any>} Its response. Throws `no_link` when none came. */
  async ask(socket, node, ms) {
    const answer = await within(ms, socket.query(node, ms));
    if (answer === undefined) throw new Failure('no_link');
    return answer;
  }

  /** Milliseconds of a request and its response. */
  async ping(ms, socket = this.loggedIn) {
    const begun = performance.now();
    const ping = { to: S_WHATSAPP_NET, type: 'get', xmlns: 'w:p' };
    await this.ask(socket, { tag: 'iq', attrs: ping, content: [{ tag: 'ping', attrs: {} }] }, ms);
    return Math.round(performance.now() - begun);
  }

  /** From the vault to `closed`. `older`: the same session's older epoch, which has to be gone first. */
  async run(opening, older) {
    if (older) await older.close();
    let verdict;
    try {
      verdict = await this.#live(opening);
    } catch (error) {
      if (!(error instanceof Lost)) note(`a session failed and is closed: ${kind(error)}`);
      verdict = { reason: error instanceof Lost ? error.reason : 'unknown' };
      this.#socket?.ws.socket?.terminate();
    }
    this.state = 'closing';
    await this.#outbox.end({ event: 'closed', ...verdict });
    this.#over();
  }

  async #live(opening) {
    await this.#begin(opening);
    const end = await this.#end;
    this.state = 'closing';
    if (end.lost) {
      this.#socket.ws.socket?.terminate();
      this.#outbox.close();
      return { reason: end.lost };
    }
    if (end.wish) await this.#leave(end.wish);
    await within(CLOSE, this.#pairing);
    // Nobody waits for a confirmation any more; what was not confirmed comes again.
    this.#outbox.close();
    const raw = this.#socket.ws.socket;
    await within(FAREWELL, this.#socket.end(undefined));
    raw?.terminate();
    await this.#vault.close();
    if (end.wish) return { reason: 'requested' };
    // After a pairing the server asks for a fresh socket, whatever its last word was.
    if (this.#pairing && !this.#verdict) return { reason: 'restart_required', code: 515 };
    if (!this.#verdict && this.#way?.isShut) return { reason: 'proxy_failed' };
    return this.#verdict ?? ofError(end.error);
  }

  /** Lets what is on its way leave; unlinks, if that is wanted. */
  async #leave(wish) {
    await within(CLOSE, Promise.allSettled(this.#sends));
    const me = this.#store.isPaired && this.me?.id;
    if (wish !== 'log_out' || !me) return;
    const unlink = { tag: 'remove-companion-device', attrs: { jid: me, reason: 'user_initiated' } };
    const iq = { tag: 'iq', attrs: { to: S_WHATSAPP_NET, type: 'set', xmlns: 'md' }, content: [unlink] };
    await this.ask(this.#socket, iq, CLOSE).catch(() => {});
  }

  /** Reads the state and starts the library on it. */
  async #begin(opening) {
    const { agent, fetchAgent, waWebSocketUrl, way } = route(opening);
    const header = await this.#vault.open();
    if (!isReadable(header.writer, header.clean)) {
      note('the vault was written by another engine or a later version, which is not readable here');
      throw new Lost('vault_lost');
    }
    this.#store = await Store.open(this.#vault);
    this.#agent = fetchAgent;
    this.#way = way;
    const keys = this.#store.isFirstLogin ? await stock() : [];
    const config = {
      auth: {
        creds: this.#store.creds,
        keys: { get: (type, ids) => this.#store.get(type, ids), set: data => this.#store.set(data) },
      },
      ...(agent && { agent }),
      ...(fetchAgent && { fetchAgent }),
      ...(waWebSocketUrl && { waWebSocketUrl }),
      logger: silent,
      makeSignalRepository: this.#hold.repository,
      getMessage: key => this.#sent(key.id),
      // With history it would keep every event of a first login back for 20 s.
      shouldSyncHistoryMessage: () => false,
      syncFullHistory: false,
      markOnlineOnConnect: false,
      emitOwnEvents: false,
      transactionOpts: { maxCommitRetries: 1, delayBetweenTriesMs: 0 },
    };
    this.#socket = taking(keys, () => makeWASocket(config));
    this.#watchTraffic();
    this.#watchStanzas();
    this.#watchLibrary();
  }

  async #sent(waId) {
    const found = waId && (await this.#store.get('sent', [waId]))[waId];
    return found ? proto.Message.decode(found) : undefined;
  }

  /** Frames leave in order, each after what was staged before it is on disk. A full window stops the reading. */
  #watchTraffic() {
    const raw = this.#socket.ws.socket;
    const send = raw.send.bind(raw);
    let last = Promise.resolve();
    raw.send = (bytes, ...rest) => {
      const done = rest.at(-1);
      const leave = () => {
        this.#traffic.frames_out += 1;
        this.#traffic.bytes_out += bytes.length;
        send(bytes, ...rest);
      };
      last = last.then(() => this.#vault.settled()).then(leave, error => done?.(error));
    };
    raw.on('message', bytes => {
      this.#traffic.frames_in += 1;
      this.#traffic.bytes_in += bytes.length;
    });
    this.#outbox.onRoom = hasRoom => {
      if (raw.readyState === raw.OPEN) hasRoom ? raw.resume() : raw.pause();
    };
    const { ws } = this.#socket;
    // The library listens for it and does nothing, so the socket would wait for ever.
    ws.on('unexpected-response', (_, { statusCode }) => {
      this.#ends({ error: new Error(`Unexpected server response: ${statusCode}`) });
    });
    // A frame that cannot be read is nobody's business in the library: its promise is dropped.
    const [read] = ws.listeners('message');
    ws.removeListener('message', read);
    ws.on('message', bytes => {
      read(bytes).catch(error => {
        this.#verdict ??= { reason: 'malformed' };
        this.#ends({ error });
      });
    });
  }

  #watchStanzas() {
    const { ws } = this.#socket;
    ws.prependListener('CB:message', node => this.#hold.see(node));
    ws.on('CB:stream:error', node => (this.#verdict ??= ofStreamError(node)));
    ws.on('CB:failure', node => (this.#verdict ??= ofFailure(node, Date.now())));
    ws.on('CB:ack,class:message', node => void this.#acked(node));
    ws.on('CB:receipt', node => {
      for (const event of receipts(node, this.me)) void this.#outbox.report(event);
    });
    ws.on('CB:ib,,offline', () => {
      void this.#hold.drained().then(() => this.#outbox.report({ event: 'offline_synced' }));
    });
  }

  #watchLibrary() {
    const { ev } = this.#socket;
    ev.on('creds.update', () => {
      try {
        this.#store.saveCreds();
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
      }
    });
    ev.on('connection.update', ({ qr, isNewLogin, connection, lastDisconnect, reachoutTimeLock }) => {
      if (qr) this.#showed(qr);
      if (isNewLogin) this.#pairing = this.#paired();
      if (connection === 'open') void this.#prove();
      if (connection === 'close') this.#ends({ error: lastDisconnect?.error });
      if (reachoutTimeLock) void this.#outbox.report(restricted(reachoutTimeLock));
    });
    ev.on('messages.upsert', ({ messages }) => {
      for (const { key, messageStubType } of messages) {
        if (messageStubType === CIPHERTEXT) void this.#outbox.report({ event: 'undecryptable', wa_id: key.id });
      }
    });
  }

  #showed(code) {
    this.state = 'pairing';
    const expires_in_ms = this.#codes++ === 0 ? FIRST_CODE : NEXT_CODE;
    void this.#outbox.report({ event: 'pairing_code', code, expires_in_ms });
  }

  /** Nobody hears of it before it is on disk. */
  async #paired() {
    this.state = 'connecting';
    try {
      await this.#vault.flush();
    } catch {
      return;
    }
    const phone = address.of(this.me.id);
    await this.#outbox.report({ event: 'paired', ...(phone.startsWith('+') && { phone }) });
  }

  /** "Connected" is said once a request got its response. */
  async #prove() {
    try {
      await this.ping(PROOF, this.#socket);
    } catch {
      // Logged in, and mute: of no use to anybody.
      return this.#ends({});
    }
    if (this.state === 'closing') return;
    this.state = 'connected';
    await this.#outbox.report({ event: 'connected' });
  }

  async #acked({ attrs }) {
    const wa_id = attrs.id;
    if (!this.forgetAck(wa_id)) return;
    if (attrs.error === undefined) return this.#outbox.report({ event: 'ack', wa_id });
    // A refusal whose number cannot be read is a refusal.
    const error = /^\d{1,4}$/.test(attrs.error) ? Number(attrs.error) : 400;
    if (error !== 463) return this.#outbox.report({ event: 'ack', wa_id, error });
    // The library tells of the lock by an event when it is asked for it.
    const lock = await within(CLOSE, this.#socket.fetchAccountReachoutTimelock().catch(() => undefined));
    const until_ms = lock?.timeEnforcementEnds?.getTime();
    await this.#outbox.report({ event: 'ack', wa_id, error, ...(until_ms !== undefined && { until_ms }) });
    if (!lock) await this.#outbox.report({ event: 'restricted', kind: 'reach_out' });
  }
}

function restricted({ isActive, timeEnforcementEnds }) {
  if (!isActive) return { event: 'restricted', kind: 'none' };
  const until_ms = timeEnforcementEnds?.getTime();
  return { event: 'restricted', kind: 'reach_out', ...(Number.isFinite(until_ms) && { until_ms }) };
}
