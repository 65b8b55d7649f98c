// Events of one session: numbered, kept until confirmed, held back by the window.

export class Outbox {
  #key;
  #wire;
  #window;
  #last = 0;
  /** By number: what to tell the one who waits for it to be safe. @type {Map<number, ((safe: boolean) => void) | null>} */
  #unconfirmed = new Map();
  #closing = false;
  #ended = false;
  /** Who waits for room, in order. @type {(() => void)[]} */
  #waiting = [];
  #turn = Promise.resolve();
  /** Told whether there is room, whenever that changes. */
  onRoom = hasRoom => void hasRoom;

  constructor(key, wire, window) {
    this.#key = key;
    this.#wire = wire;
    this.#window = Math.max(1, window);
  }

  get unconfirmed() {
    return this.#unconfirmed.size;
  }

  #hasRoom() {
    return this.#closing || this.#unconfirmed.size < this.#window;
  }

  /** Resolves when the window has room; at once when the session closes. */
  async #room() {
    while (!this.#hasRoom()) await new Promise(resolve => this.#waiting.push(resolve));
  }

  /** Numbers leave in their order. */
  #inTurn(work) {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  #leave(event, safe) {
    if (this.#ended) return;
    const seq = ++this.#last;
    this.#unconfirmed.set(seq, safe);
    this.#wire.say({ t: 'event', ...this.#key, seq, event });
    if (!this.#hasRoom()) this.onRoom(false);
  }

  /** Reports an event; waits for the window. */
  report(event) {
    return this.#inTurn(async () => {
      await this.#room();
      this.#leave(event, null);
    });
  }

  /** Reports an event. Resolves to whether it is safe with the supervisor; `false`: the session closes, it will come again. */
  async handOver(event) {
    let safe;
    const confirmed = new Promise(resolve => (safe = resolve));
    await this.#inTurn(async () => {
      await this.#room();
      if (this.#closing) safe(false);
      else this.#leave(event, safe);
    });
    return confirmed;
  }

  /** These are safe. */
  confirm(seqs) {
    for (const seq of seqs) {
      this.#unconfirmed.get(seq)?.(true);
      this.#unconfirmed.delete(seq);
    }
    if (!this.#hasRoom()) return;
    this.onRoom(true);
    this.#wake();
  }

  #wake() {
    for (const waiting of this.#waiting.splice(0)) waiting();
  }

  /** Nobody waits for a confirmation any more: what has none will come again. */
  close() {
    this.#closing = true;
    for (const [seq, safe] of this.#unconfirmed) {
      safe?.(false);
      this.#unconfirmed.set(seq, null);
    }
    this.#wake();
  }

  /** The last event. Beyond the window, if need be. */
  end(event) {
    this.close();
    return this.#inTurn(async () => {
      this.#leave(event, null);
      this.#ended = true;
    });
  }
}
