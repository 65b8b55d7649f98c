// What the supervisor asks of an open session.
import { isJidGroup, proto } from 'baileys';
import * as address from './address.mjs';
import * as content from './content.mjs';
import { Failure, invalid } from './failure.mjs';
import { sending } from './hold.mjs';
import * as media from './media.mjs';

/** A code that was typed is good for so long, in milliseconds. */
const PAIR_CODE = 180_000;
/** Numbers asked for at once. */
const NUMBERS = 50;
/** Milliseconds left for a request below the caller's own deadline. */
const MARGIN = 200;

function chat(to) {
  const jid = address.toJid(to);
  if (jid === null) throw invalid('to: +digits, or an id that ends in @g.us or @lid');
  return jid;
}

/** What went wrong with a request that is no message. The library puts the server's number into `data`. */
function asked(error) {
  if (error instanceof Failure) return error;
  const server_code = Number(error?.data);
  if (!Number.isInteger(server_code) || server_code <= 0) return new Failure('no_link');
  return new Failure(server_code === 429 ? 'rate_limited' : 'refused', undefined, { server_code });
}

async function asking(work) {
  try {
    return await work();
  } catch (error) {
    throw asked(error);
  }
}

/** The library makes the code up and does not wait for WhatsApp's word on it, which is the next request's. */
async function pairCode(socket, digits, ms) {
  const [, head, number] = /^(.*?)(\d+)$/.exec(socket.generateMessageTag());
  const answered = socket.waitForMessage(`${head}${Number(number) + 1}`, ms);
  let answer;
  let code;
  try {
    [answer, code] = await Promise.all([answered, socket.requestPairingCode(digits)]);
  } catch {
    throw new Failure('no_link');
  }
  if (answer === undefined) throw new Failure('no_link', 'WhatsApp did not answer');
  // It says 400 for a number it does not like and for one that asks too often.
  const why = 'WhatsApp gave no code: a wrong number, or too many of late';
  if (answer.attrs.type === 'error') throw new Failure('rate_limited', why);
  return code;
}

/** @type {Record<string, (session: import('./session.mjs').Session, command: any, at: {folder: string, left: () => number}) => Promise<object>>} */
const COMMANDS = {
  async pair_code(session, { phone }, { left }) {
    if (!address.isPnUser(address.toJid(phone) ?? '')) throw invalid('phone: + and digits');
    const code = await pairCode(session.showingCodes, phone.slice(1), Math.max(1, left() - MARGIN));
    return { is: 'pair_code', code, expires_in_ms: PAIR_CODE };
  },

  async send(session, { to, wa_id, content: said, quote }, { folder, left }) {
    const socket = session.loggedIn;
    const jid = chat(to);
    if (!/^[A-Za-z0-9]{1,128}$/.test(wa_id ?? '')) throw invalid('wa_id: 1 to 128 letters and digits');
    const context = quote && content.context(jid, session.me.id, quote);
    const { message, attributes, nodes } =
      said?.type === 'media'
        ? { message: await media.upload(socket, folder, said, context) }
        : content.message(jid, said ?? {}, context, Date.now());
    if (left() <= 0) throw new Failure('late');
    const whole = proto.Message.fromObject(message);
    // For a peer that asks for it again, when the library has forgotten it.
    await session.store.set({ sent: { [wa_id]: Buffer.from(proto.Message.encode(whole).finish()) } });
    session.expectAck(wa_id);
    const note = { hasEncrypted: false };
    const how = { messageId: wa_id, additionalAttributes: attributes, additionalNodes: nodes };
    try {
      await session.duringSend(sending(note, () => socket.relayMessage(jid, whole, how)));
    } catch (error) {
      // Requests before the message (devices, keys, group) are over when it is encrypted.
      if (note.hasEncrypted) throw new Failure('uncertain');
      session.forgetAck(wa_id);
      throw new Failure('not_sent', undefined, { server_code: asked(error).answer.server_code });
    }
    return { is: 'sent' };
  },

  async mark_read(session, { chat: to, messages = [] }) {
    const socket = session.loggedIn;
    const jid = chat(to);
    const authors = new Set(messages.map(({ author }) => author));
    if (authors.size > 1) throw invalid('messages: all by one author');
    const [author] = authors;
    const participant = author !== undefined && isJidGroup(jid) ? chat(author) : undefined;
    const keys = messages.map(({ wa_id, from_me }) => ({ remoteJid: jid, id: wa_id, fromMe: Boolean(from_me), participant }));
    try {
      await socket.readMessages(keys);
    } catch {
      throw new Failure('not_sent');
    }
    return { is: 'done' };
  },

  async typing(session, { chat: to, active }) {
    const socket = session.loggedIn;
    const jid = chat(to);
    try {
      await socket.sendPresenceUpdate(active ? 'composing' : 'paused', jid);
    } catch {
      throw new Failure('not_sent');
    }
    return { is: 'done' };
  },

  async check_number(session, { phones = [] }) {
    const socket = session.loggedIn;
    if (phones.length > NUMBERS) throw invalid('phones: at most 50');
    const jids = phones.map(phone => address.toJid(phone));
    if (jids.some(jid => !address.isPnUser(jid ?? ''))) throw invalid('phones: + and digits');
    if (jids.length === 0) return { is: 'numbers', numbers: [] };
    const found = await asking(() => socket.onWhatsApp(...jids));
    if (!found) throw new Failure('no_link');
    const existing = new Set(found.filter(({ exists }) => exists).map(({ jid }) => address.of(jid)));
    const numbers = phones.map(phone => {
      const exists = existing.has(phone);
      return { phone, exists, ...(exists && { address: phone }) };
    });
    return { is: 'numbers', numbers };
  },

  async groups(session) {
    const socket = session.loggedIn;
    const { me } = session;
    const found = await asking(() => socket.groupFetchAllParticipating());
    const isMe = ({ id, phoneNumber, lid }) =>
      [id, phoneNumber, lid].some(jid => address.isSame(jid, me.id) || address.isSame(jid, me.lid));
    const groups = Object.values(found).map(({ id, subject, participants }) => ({
      id,
      subject: subject ?? '',
      participants: participants.length,
      admin: participants.some(member => isMe(member) && Boolean(member.admin)),
    }));
    return { is: 'groups', groups: groups.sort((one, other) => (one.id < other.id ? -1 : 1)) };
  },

  /** Whoever a number and a hidden id are known of: those that were written to or wrote. */
  async contacts(session, { after, limit }) {
    if (!session.store) throw new Failure('no_link');
    if (!(limit >= 1 && limit <= 500)) throw invalid('limit: 1 to 500');
    const all = session.store.knownUsers().map(user => `+${user}`).sort();
    const beyond = after === undefined ? all : all.filter(known => known > after);
    const contacts = beyond.slice(0, limit).map(known => ({ address: known }));
    return { is: 'contacts', contacts, more: beyond.length > contacts.length };
  },

  async fetch_media(session, command, { folder }) {
    const size = await media.fetch(session.loggedIn, session.agent, folder, command);
    return { is: 'media', size };
  },

  async ping(session, _, { left }) {
    return { is: 'pong', millis: await asking(() => session.ping(Math.max(1, left() - MARGIN))) };
  },

  async stats(session) {
    return { is: 'stats', counters: session.stats() };
  },
};

/** Carries out one command, `open` and `close` apart. Throws `Failure`. */
export function carryOut(session, command, at) {
  const work = Object.hasOwn(COMMANDS, command.cmd) ? COMMANDS[command.cmd] : undefined;
  if (!work) throw new Failure('unsupported');
  return work(session, command, at);
}
