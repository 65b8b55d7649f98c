// Lines of a stream: one JSON object each, at most 8 MiB with its end.

/** Bytes of a frame, its line feed among them. */
export const MAX_FRAME = 8 * 1024 * 1024;

/** Cuts chunks into lines. */
export class Lines {
  /** @type {Buffer[]} */
  #parts = [];
  #size = 0;

  /**
   * @param {Buffer} chunk What came.
   * @returns {Buffer[] | null} Lines that are whole now, without their ends; `null` when one is longer than a frame may be.
   */
  take(chunk) {
    const lines = [];
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(0x0a, from);
      if (at < 0) break;
      const line = Buffer.concat([...this.#parts, chunk.subarray(from, at)]);
      if (line.length >= MAX_FRAME) return null;
      lines.push(line);
      this.#parts = [];
      this.#size = 0;
      from = at + 1;
    }
    if (from < chunk.length) {
      this.#parts.push(chunk.subarray(from));
      this.#size += chunk.length - from;
    }
    return this.#size >= MAX_FRAME ? null : lines;
  }
}
