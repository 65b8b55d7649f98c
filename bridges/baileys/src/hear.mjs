// A stanza and its plaintext as an event of the protocol.
import {
  areJidsSameUser,
  decodeMessageNode,
  extractAddressingContext,
  isJidGroup,
  isLidUser,
  isPnUser,
  proto,
  unpadRandomMax16,
} from 'baileys';
import * as address from './address.mjs';
import * as content from './content.mjs';

/**
 * @param {any} node The stanza. @param {Uint8Array} plain What was in it, padded.
 * @param {{id: string, lid?: string}} me @param {(lid: string) => Promise<string | null>} numberOf
 * @returns {Promise<object | null>} `null` for what is no message to anybody, or in no chat the protocol has.
 */
export async function inbound(node, plain, me, numberOf) {
  const whole = proto.Message.decode(unpadRandomMax16(plain));
  const inner = whole.deviceSentMessage?.message ?? whole;
  const { fullMessage, author } = decodeMessageNode(node, me.id, me.lid ?? '');
  const { key } = fullMessage;
  const isGroup = isJidGroup(key.remoteJid);
  if (!isGroup && !isPnUser(key.remoteJid) && !isLidUser(key.remoteJid)) return null;
  const isMe = jid => areJidsSameUser(jid, me.id) || Boolean(me.lid && areJidsSameUser(jid, me.lid));
  // In a group a key names its author; in a chat of two the sender says whether it is the sender.
  const mine = target => (target.participant ? isMe(target.participant) : Boolean(target.fromMe) === Boolean(key.fromMe));
  const said = content.heard(inner, mine);
  if (said === null) return null;
  const { senderAlt, recipientAlt } = extractAddressingContext(node);
  const named = async (jid, alt) => address.of(jid, alt ?? (isLidUser(jid) ? await numberOf(jid) : undefined));
  // In a chat of two the other one's second name is told with the sender, or, of our own, with the recipient.
  const chat = isGroup ? key.remoteJid : await named(key.remoteJid, key.fromMe ? recipientAlt : senderAlt);
  const quote = content.quoted(inner, isMe);
  return {
    event: 'inbound',
    wa_id: key.id,
    chat,
    from: await named(author, key.fromMe ? me.id : senderAlt),
    from_me: Boolean(key.fromMe),
    at_ms: Number(node.attrs.t) * 1_000,
    content: said,
    ...(quote && { quote }),
    ...(node.attrs.notify && { name: node.attrs.notify }),
  };
}

/** How far messages of ours came, by a `receipt`; nothing for what this account's other devices did. */
export function receipts(node, me) {
  const { attrs, content: inside } = node;
  const by = attrs.participant ?? attrs.from;
  if (areJidsSameUser(by, me.id) || (me.lid && areJidsSameUser(by, me.lid))) return [];
  const kind = KINDS.get(attrs.type ?? '');
  if (kind === undefined) return [];
  const list = Array.isArray(inside) ? inside.find(child => child.tag === 'list') : undefined;
  const more = Array.isArray(list?.content) ? list.content.filter(({ tag }) => tag === 'item').map(item => item.attrs.id) : [];
  return [attrs.id, ...more].map(wa_id => ({ event: 'receipt', wa_id, kind }));
}

/** A receiver that is not looking says `inactive`: it has the message all the same. The library drops those. */
const KINDS = new Map([
  ['', 'delivered'],
  ['inactive', 'delivered'],
  ['read', 'read'],
  ['played', 'played'],
]);
