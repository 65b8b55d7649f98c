// The connection to the supervisor: frames out, and answers to questions.
import { MAX_FRAME } from './lines.mjs';
import { note } from './log.mjs';

/** The way to the supervisor. */
export class Wire {
  #out;
  #last = 0;
  /** @type {Map<number, (outcome: object) => void>} */
  #asked = new Map();

  /** @param {(line: string) => void} out Takes a line, in order. */
  constructor(out) {
    this.#out = out;
  }

  /** Says a frame, in order. */
  say(frame) {
    const line = `${JSON.stringify(frame)}\n`;
    if (Buffer.byteLength(line) > MAX_FRAME) return note('a frame was longer than allowed and was not sent');
    this.#out(line);
  }

  /** A question to a session's vault. Never answered once the connection is gone: the process ends then. */
  ask(key, call) {
    const id = ++this.#last;
    return new Promise(answered => {
      this.#asked.set(id, answered);
      this.say({ t: 'vault', id, ...key, call });
    });
  }

  /** An answer came: `{ok}` or `{error}`. */
  answered(id, outcome) {
    const waiting = this.#asked.get(id);
    this.#asked.delete(id);
    waiting?.(outcome);
  }
}
