// What is said on standard error goes to the supervisor's log. Never a number, a name, a body, a code or a key.

/** @param {string} text A sentence without anything personal. */
export function note(text) {
  process.stderr.write(`${text}\n`);
}

/** An error by its class and code: messages of the library may hold addresses. */
export function kind(error) {
  const status = error?.output?.statusCode ?? error?.code;
  const name = error?.name ?? typeof error;
  return status === undefined ? name : `${name} ${status}`;
}

const quiet = () => {};

/** What the library logs is not wanted: it has addresses and stanzas in it. */
export const silent = {
  level: 'silent',
  child: () => silent,
  trace: quiet,
  debug: quiet,
  info: quiet,
  warn: quiet,
  error: quiet,
  fatal: quiet,
};
