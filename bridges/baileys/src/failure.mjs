// What a command is answered when it did not work: the words of the protocol.

/** Thrown by commands; `code` is a word of the protocol's table. */
export class Failure extends Error {
  /** @param {string} code @param {string} [why] A sentence without anything personal. @param {object} [more] `server_code`, `until_ms` */
  constructor(code, why, more = {}) {
    super(code);
    this.name = 'Failure';
    this.answer = { code, ...(why && { why }), ...more };
  }
}

export const invalid = why => new Failure('invalid', why);
