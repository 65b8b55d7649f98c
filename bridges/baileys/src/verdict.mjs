// Why a link closed: the first cause that the library or the server named.

/** @typedef {{reason: string, code?: number, until_ms?: number}} Verdict The fields of the event `closed`. */

const OF_CODE = new Map([
  [515, 'restart_required'],
  [500, 'server_unavailable'],
  [503, 'server_unavailable'],
  [429, 'throttled'],
  [409, 'replaced'],
  [402, 'banned'],
  [405, 'outdated'],
  [401, 'logged_out'],
  [403, 'logged_out'],
  [406, 'logged_out'],
  [516, 'logged_out'],
]);

/** What a number means, in a `stream:error` as in a `failure`. @returns {Verdict} */
export const ofCode = code => ({ reason: OF_CODE.get(code) ?? 'unknown', code });

const children = node => (Array.isArray(node.content) ? node.content : []);

/** What a `stream:error` says; `null` when it ends nothing. @returns {Verdict | null} */
export function ofStreamError(node) {
  const conflict = children(node).find(child => child.tag === 'conflict');
  if (conflict) return conflict.attrs.type === 'replaced' ? ofCode(409) : ofCode(401);
  if (children(node).some(child => child.tag === 'xml-not-well-formed')) return { reason: 'malformed' };
  const code = Number(node.attrs.code);
  return node.attrs.code !== undefined && Number.isInteger(code) ? ofCode(code) : null;
}

/** What a `failure` instead of a login says. A ban has its end in seconds from now. @returns {Verdict} */
export function ofFailure(node, now) {
  const code = Number(node.attrs.reason);
  if (!Number.isInteger(code)) return { reason: 'unknown' };
  const seconds = Number(node.attrs.expire);
  const ends = code === 402 && node.attrs.expire !== undefined && Number.isFinite(seconds);
  return { ...ofCode(code), ...(ends && { until_ms: now + seconds * 1_000 }) };
}

/** What the library says of an end that no stanza explained. @param {any} error A Boom, or anything. @returns {Verdict} */
export function ofError(error) {
  const message = String(error?.message ?? '');
  if (message === 'QR refs attempts ended') return { reason: 'pairing_ended' };
  if (/certificat|account signature/i.test(message)) return { reason: 'untrusted' };
  const refused = /Unexpected server response: (\d{3})/.exec(message);
  if (refused) {
    const code = Number(refused[1]);
    if (code === 429) return ofCode(429);
    return code >= 500 ? { reason: 'server_unavailable', code } : { reason: 'transport_lost', code };
  }
  const status = error?.output?.statusCode;
  if (error === undefined || status === 428 || status === 408 || message.startsWith('WebSocket Error')) {
    return { reason: 'transport_lost' };
  }
  // A handshake or a frame that cannot be read.
  return status === undefined || status === 400 ? { reason: 'malformed' } : { reason: 'unknown', code: status };
}
