// What the supervisor says, and the sessions it says it of.
import { carryOut } from './commands.mjs';
import { Failure, invalid } from './failure.mjs';
import { kind, note } from './log.mjs';
import { through } from './routes.mjs';
import { Session } from './session.mjs';

/** Newest epochs that are remembered of sessions that are not open. The vault fences all the same. */
const REMEMBERED = 10_000;
const DONE = { is: 'done' };

/** All sessions of this process. */
export class Bridge {
  #wire;
  #media;
  #window;
  #draining = false;
  /** @type {Map<string, Session>} */
  #open = new Map();
  /** @type {Map<string, number>} */
  #newest = new Map();

  constructor(wire, media, window) {
    this.#wire = wire;
    this.#media = media;
    this.#window = window;
  }

  /** Sessions by how they stand. */
  states() {
    const states = {};
    for (const { state } of this.#open.values()) states[state] = (states[state] ?? 0) + 1;
    return states;
  }

  /** Takes one frame. @returns {boolean} Whether the process is to end. */
  hear(frame) {
    switch (frame.t) {
      case 'command':
        return this.#command(frame);
      case 'confirm':
        this.#confirm(frame);
        return false;
      case 'vault':
        this.#wire.answered(frame.id, frame);
        return false;
      case 'welcome':
      case 'refused':
        // Said once, and heard.
        return false;
      default:
        throw new Error('no frame of the protocol');
    }
  }

  #confirm({ session, epoch, seq }) {
    const open = this.#open.get(session);
    if (open?.epoch === epoch) open.confirm(seq);
  }

  #command({ id, session, epoch, deadline_ms, do: command }) {
    const due = performance.now() + deadline_ms;
    if (session === undefined || session === null) return this.#ofProcess(id, command);
    // The table changes in the order of the frames; what takes time does not hold up the next one.
    const key = { session, epoch };
    const left = () => due - performance.now();
    void this.#answer(id, async () => (command.cmd === 'open' ? this.#opens(key, command) : this.#carryOut(key, command, left)));
    return false;
  }

  async #answer(id, work) {
    try {
      this.#wire.say({ t: 'reply', id, ok: await work() });
    } catch (error) {
      if (!(error instanceof Failure)) note(`a command failed: ${kind(error)}`);
      this.#wire.say({ t: 'reply', id, error: error instanceof Failure ? error.answer : { code: 'uncertain' } });
    }
  }

  /** Up to its first wait this runs with its frame, so that it sees the sessions of that moment. */
  async #carryOut({ session: name, epoch }, command, left) {
    if ((this.#newest.get(name) ?? epoch) > epoch) throw new Failure('fenced');
    const open = this.#open.get(name);
    const session = open?.epoch === epoch ? open : null;
    // Closing what is closed is fine; a log-out that reached nobody is not.
    if (session === null && command.cmd === 'close') return DONE;
    if (session === null) throw new Failure('no_link', 'the session is not open');
    if (command.cmd === 'close' || command.cmd === 'log_out') {
      await session.close(command.cmd === 'log_out');
      return DONE;
    }
    if (left() <= 0) throw new Failure('late');
    const isSend = command.cmd === 'send';
    if (isSend && this.#draining) throw new Failure('draining');
    const work = carryOut(session, command, { folder: this.#media, left });
    // A send is never broken off: what it has begun may have left, and its ratchet has moved.
    if (isSend) return work;
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Failure('uncertain')), left())));
    return Promise.race([work, late]).finally(() => clearTimeout(timer));
  }

  #opens(key, { proxy, endpoint }) {
    if (this.#draining) throw new Failure('draining');
    if (proxy !== undefined && proxy !== null) through(proxy);
    if (typeof key.session !== 'string' || !Number.isSafeInteger(key.epoch)) throw invalid('session, epoch');
    const newest = this.#newest.get(key.session);
    const older = this.#open.get(key.session);
    if ((newest !== undefined && newest > key.epoch) || older?.epoch === key.epoch) throw new Failure('fenced');
    if (this.#newest.size >= REMEMBERED) {
      for (const session of this.#newest.keys()) if (!this.#open.has(session)) this.#newest.delete(session);
    }
    this.#newest.set(key.session, key.epoch);
    const session = new Session(key, this.#wire, this.#window);
    this.#open.set(key.session, session);
    void session.run({ proxy: proxy ?? undefined, endpoint: endpoint ?? undefined }, older).finally(() => {
      if (this.#open.get(key.session) === session) this.#open.delete(key.session);
    });
    return DONE;
  }

  #ofProcess(id, { cmd }) {
    const work = {
      stats: () => ({ is: 'stats', counters: { sessions: this.#open.size } }),
      drain: async () => {
        this.#draining = true;
        await Promise.all([...this.#open.values()].map(session => session.close()));
        return DONE;
      },
      shutdown: () => DONE,
    };
    const known = Object.hasOwn(work, cmd);
    const isOfSession = ['open', 'close', 'ping', 'send', 'log_out'].includes(cmd);
    const refuse = () => {
      throw isOfSession ? invalid('this command is for a session') : new Failure('unsupported');
    };
    void this.#answer(id, known ? work[cmd] : refuse);
    return cmd === 'shutdown';
  }
}
