// Addresses of the protocol and jids of the library.
import { isPnUser, jidDecode, jidNormalizedUser } from 'baileys';

/** The jid of an address; `null` when it is none. @param {string} address */
export function toJid(address) {
  if (typeof address !== 'string') return null;
  const number = /^\+(\d{5,15})$/.exec(address);
  if (number) return `${number[1]}@s.whatsapp.net`;
  return /^[\d-]{1,64}@g\.us$/.test(address) || /^\d{1,32}@lid$/.test(address) ? address : null;
}

/** The address of a jid. `alt` is its other name, where it is known: a number, for one that hides it. */
export function of(jid, alt) {
  const number = [jid, alt].find(name => name && isPnUser(name));
  return number ? `+${jidDecode(number).user}` : jidNormalizedUser(jid);
}

/** Whether two jids are of one person: devices do not count. */
export const isSame = (one, other) => Boolean(one && other) && jidNormalizedUser(one) === jidNormalizedUser(other);

export { isPnUser };
