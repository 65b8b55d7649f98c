// Contents of the protocol as the library's messages, and back.
import { randomBytes } from 'node:crypto';
import { isJidGroup, normalizeMessageContent, proto } from 'baileys';
import * as address from './address.mjs';
import { Failure, invalid } from './failure.mjs';
import * as media from './media.mjs';

const { MESSAGE_EDIT, REVOKE } = proto.Message.ProtocolMessage.Type;

/** The key of a message in a chat. */
function key(chat, target) {
  const author = target.author === undefined ? undefined : address.toJid(target.author);
  if (author === null) throw invalid('author');
  const isGroup = isJidGroup(chat);
  if (isGroup && !target.from_me && !author) throw invalid('in a group the author of the message is wanted');
  return {
    remoteJid: chat,
    fromMe: Boolean(target.from_me),
    id: target.wa_id,
    ...(isGroup && author && { participant: author }),
  };
}

/** What an answer quotes, as the context of the message it is put into. */
export function context(chat, me, quote) {
  const author = quote.author === undefined ? (quote.from_me ? me : chat) : address.toJid(quote.author);
  if (!author) throw invalid('author');
  return { stanzaId: quote.wa_id, participant: author, quotedMessage: { conversation: quote.body ?? '' } };
}

/**
 * A message, with what it quotes. Media are not made here.
 * @returns {{message: object, attributes?: object, nodes?: object[]}} The message, and what its stanza says of it.
 */
export function message(chat, content, contextInfo, now) {
  const withContext = fields => ({ ...fields, ...(contextInfo && { contextInfo }) });
  switch (content.type) {
    case 'text':
      if (!contextInfo) return { message: { conversation: content.body } };
      return { message: { extendedTextMessage: { text: content.body, contextInfo } } };
    case 'reaction': {
      const reaction = { key: key(chat, content.target), text: content.emoji, senderTimestampMs: now };
      return { message: { reactionMessage: reaction } };
    }
    case 'edit': {
      const editedMessage = { conversation: content.body };
      const edit = { key: key(chat, content.target), type: MESSAGE_EDIT, editedMessage, timestampMs: now };
      return { message: { protocolMessage: edit }, attributes: { edit: '1' } };
    }
    case 'revoke': {
      const target = key(chat, content.target);
      // Of others' it is an admin's.
      const attributes = { edit: isJidGroup(chat) && !target.fromMe ? '8' : '7' };
      return { message: { protocolMessage: { key: target, type: REVOKE } }, attributes };
    }
    case 'poll':
      return poll(content, withContext);
    case 'location': {
      const { latitude, longitude, name, address: street } = content;
      const isOnEarth = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
      if (!isOnEarth) throw invalid('no such place on earth');
      const place = { degreesLatitude: latitude, degreesLongitude: longitude, name, address: street };
      return { message: { locationMessage: withContext(place) } };
    }
    case 'contacts':
      return { message: contacts(content.cards ?? [], withContext) };
    default:
      throw new Failure('unsupported');
  }
}

/** A poll carries a secret that votes are encrypted with. */
function poll({ question, options = [], selectable = 0 }, withContext) {
  if (options.length < 2 || options.length > 12) throw invalid('a poll has two to twelve options');
  if (selectable > options.length) throw invalid('selectable: more than there are options');
  const body = withContext({
    name: question,
    options: options.map(({ name }) => ({ optionName: name })),
    selectableOptionsCount: selectable,
  });
  const messageContextInfo = { messageSecret: randomBytes(32) };
  // One choice is another version of the message than several.
  const version = selectable === 1 ? 'pollCreationMessageV3' : 'pollCreationMessage';
  return {
    message: { messageContextInfo, [version]: body },
    nodes: [{ tag: 'meta', attrs: { polltype: 'creation' } }],
  };
}

function contacts(cards, withContext) {
  if (cards.length === 0) throw invalid('cards: at least one');
  const one = ({ name, vcard }) => ({ displayName: name, vcard });
  if (cards.length === 1) return { contactMessage: withContext(one(cards[0])) };
  const all = { displayName: `${cards.length} contacts`, contacts: cards.map(one) };
  return { contactsArrayMessage: withContext(all) };
}

/** A field that has something to say. */
const said = (name, value) => (value === undefined || value === null || value === '' ? {} : { [name]: value });

/**
 * What came in; `null` for what is no message to anybody: keys, receipts of calls, settings.
 * @param {object} whole The library's message.
 * @param {(key: object) => boolean} mine Whether this account wrote the message that a key names.
 */
export function heard(whole, mine) {
  const base = normalizeMessageContent(whole);
  if (!base) return null;
  const text = base.conversation || base.extendedTextMessage?.text;
  if (text) return { type: 'text', body: text };
  if (base.reactionMessage?.key) {
    const target = targetOf(base.reactionMessage.key, mine);
    return target && { type: 'reaction', target, emoji: base.reactionMessage.text ?? '' };
  }
  if (base.protocolMessage) return protocolHeard(base.protocolMessage, mine);
  const file = media.heard(base);
  if (file) return file;
  const poll = base.pollCreationMessage ?? base.pollCreationMessageV2 ?? base.pollCreationMessageV3;
  if (poll) {
    const options = (poll.options ?? []).map(({ optionName }) => ({ name: optionName ?? '' }));
    return { type: 'poll', question: poll.name ?? '', options, selectable: poll.selectableOptionsCount ?? 0 };
  }
  const place = base.locationMessage;
  if (place) {
    const { degreesLatitude: latitude, degreesLongitude: longitude } = place;
    if (typeof latitude !== 'number' || typeof longitude !== 'number') return null;
    return { type: 'location', latitude, longitude, ...said('name', place.name), ...said('address', place.address) };
  }
  const card = ({ displayName, vcard }) => ({ name: displayName ?? '', vcard: vcard ?? '' });
  if (base.contactMessage) return { type: 'contacts', cards: [card(base.contactMessage)] };
  if (base.contactsArrayMessage) {
    return { type: 'contacts', cards: (base.contactsArrayMessage.contacts ?? []).map(card) };
  }
  const fields = Object.keys(base).filter(name => base[name] !== null && base[name] !== undefined);
  const isNothing = fields.every(name => name === 'senderKeyDistributionMessage' || name === 'messageContextInfo');
  return isNothing ? null : { type: 'other' };
}

function protocolHeard(protocol, mine) {
  const target = protocol.key && targetOf(protocol.key, mine);
  if (!target) return null;
  if (protocol.type === REVOKE) return { type: 'revoke', target };
  if (protocol.type !== MESSAGE_EDIT) return null;
  const edited = normalizeMessageContent(protocol.editedMessage);
  const body = edited?.conversation || edited?.extendedTextMessage?.text;
  return body ? { type: 'edit', target, body } : null;
}

function targetOf(key, mine) {
  if (!key.id) return null;
  const author = key.participant ? { author: address.of(key.participant) } : {};
  return { wa_id: key.id, from_me: mine(key), ...author };
}

/** What an inbound message quotes; `null` when nothing. @param {(jid: string) => boolean} isMe */
export function quoted(whole, isMe) {
  const base = normalizeMessageContent(whole) ?? {};
  const carrier = ['extendedText', 'image', 'video', 'audio', 'document', 'location', 'sticker']
    .map(name => base[`${name}Message`]?.contextInfo)
    .find(info => info?.stanzaId);
  if (!carrier) return null;
  const { stanzaId, participant } = carrier;
  const author = participant ? { author: address.of(participant) } : {};
  return { wa_id: stanzaId, from_me: Boolean(participant) && isMe(participant), ...author };
}
