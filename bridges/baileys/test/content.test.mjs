import assert from 'node:assert/strict';
import test from 'node:test';
import { proto } from 'baileys';
import * as address from '../src/address.mjs';
import * as content from '../src/content.mjs';
import { inbound, receipts } from '../src/hear.mjs';

const CHAT = '15551230001@s.whatsapp.net';
const GROUP = '120363000000000001@g.us';
const ME = { id: '15551230009:4@s.whatsapp.net', lid: '100000000000009:4@lid' };
const NOW = 1_795_000_000_000;

/** Over the wire: what the library encodes and decodes again. */
const carried = message => proto.Message.decode(proto.Message.encode(proto.Message.fromObject(message)).finish());
const target = { wa_id: '3EB0BB', from_me: true };

for (const said of [
  { type: 'text', body: 'hello' },
  { type: 'text', body: 'Grüße, 你好, 👋🏽\n\u202ex' },
  { type: 'reaction', target, emoji: '👍' },
  { type: 'reaction', target, emoji: '' },
  { type: 'edit', target, body: 'hello, corrected' },
  { type: 'revoke', target },
  { type: 'poll', question: 'When?', options: [{ name: 'Monday' }, { name: 'Tuesday' }], selectable: 1 },
  { type: 'poll', question: 'When?', options: [{ name: 'Monday' }, { name: 'Tuesday' }], selectable: 2 },
  { type: 'location', latitude: 52.52, longitude: 13.405, name: 'Office', address: 'Main Street 1' },
  { type: 'location', latitude: 0, longitude: 0 },
  { type: 'contacts', cards: [{ name: 'Ada', vcard: 'BEGIN:VCARD' }] },
  { type: 'contacts', cards: [{ name: 'Ada', vcard: 'A' }, { name: 'Grace', vcard: 'G' }] },
]) {
  test(`what is sent is what is heard: ${JSON.stringify(said)}`, () => {
    const { message } = content.message(CHAT, said, undefined, NOW);
    assert.deepEqual(content.heard(carried(message), key => key.fromMe), said);
  });
}

test('an answer names what it quotes', () => {
  const context = content.context(CHAT, ME.id, { wa_id: '3EB0AA', from_me: false, body: 'a question' });
  const { message } = content.message(CHAT, { type: 'text', body: 'an answer' }, context, NOW);
  const came = carried(message);
  assert.deepEqual(content.heard(came, () => false), { type: 'text', body: 'an answer' });
  assert.deepEqual(content.quoted(came, () => true), { wa_id: '3EB0AA', from_me: true, author: '+15551230001' });
  assert.equal(content.quoted(carried({ conversation: 'hello' }), () => true), null);
});

test('what cannot be sent is refused by name', () => {
  const refuse = (said, chat = CHAT) => {
    try {
      content.message(chat, said, undefined, NOW);
    } catch (error) {
      return error.answer;
    }
    return null;
  };
  const option = { name: 'Monday' };
  for (const [said, why, chat] of [
    [{ type: 'poll', question: 'When?', options: [option], selectable: 1 }, /two to twelve/],
    [{ type: 'poll', question: 'When?', options: Array(13).fill(option), selectable: 1 }, /two to twelve/],
    [{ type: 'poll', question: 'When?', options: [option, option], selectable: 3 }, /selectable/],
    [{ type: 'location', latitude: 91, longitude: 0 }, /place/],
    [{ type: 'location', latitude: 'north', longitude: 0 }, /place/],
    [{ type: 'contacts', cards: [] }, /cards/],
    [{ type: 'revoke', target: { wa_id: 'A', from_me: false } }, /author/, GROUP],
    [{ type: 'revoke', target: { wa_id: 'A', from_me: true, author: 'nobody' } }, /author/],
  ]) {
    const answer = refuse(said, chat);
    assert.equal(answer?.code, 'invalid', JSON.stringify(said));
    assert.match(answer.why, why);
  }
  for (const said of [{ type: 'other' }, { type: 'hologram' }, {}]) assert.deepEqual(refuse(said), { code: 'unsupported' });
});

test('the stanza says of an edit and of a message taken back what they are', () => {
  const edit = said => content.message(GROUP, said, undefined, NOW).attributes?.edit;
  assert.equal(edit({ type: 'edit', target, body: 'x' }), '1');
  assert.equal(edit({ type: 'revoke', target }), '7');
  assert.equal(edit({ type: 'revoke', target: { wa_id: 'A', from_me: false, author: '+15551230001' } }), '8');
  assert.equal(edit({ type: 'text', body: 'x' }), undefined);
});

test('keys, settings and empty messages are no message to anybody; what is unknown is other', () => {
  const heard = message => content.heard(carried(message), () => false);
  assert.equal(heard({}), null);
  assert.equal(heard({ senderKeyDistributionMessage: { groupId: GROUP } }), null);
  assert.equal(heard({ protocolMessage: { type: proto.Message.ProtocolMessage.Type.APP_STATE_SYNC_KEY_SHARE } }), null);
  assert.deepEqual(heard({ eventMessage: { name: 'x' } }), { type: 'other' });
  assert.deepEqual(heard({ ephemeralMessage: { message: { conversation: 'hello' } } }), { type: 'text', body: 'hello' });
});

test('numbers, groups and hidden ids are addresses and nothing else is', () => {
  for (const [given, jid] of [
    ['+15551230001', CHAT],
    [GROUP, GROUP],
    ['100000012345678@lid', '100000012345678@lid'],
    ['15551230001', null],
    ['+1555x', null],
    ['+1', null],
    ['status@broadcast', null],
    ['@lid', null],
    ['', null],
    [undefined, null],
  ]) {
    assert.equal(address.toJid(given), jid, given);
  }
  assert.equal(address.of('100000012345678@lid'), '100000012345678@lid');
  assert.equal(address.of('100000012345678:7@lid', CHAT), '+15551230001');
  assert.equal(address.of('15551230001:3@s.whatsapp.net'), '+15551230001');
});

const padded = message => Buffer.concat([proto.Message.encode(proto.Message.fromObject(message)).finish(), Buffer.from([1])]);
const stanza = attrs => ({ tag: 'message', attrs: { id: '3EB0AA', t: '1795000000', ...attrs } });

test('a hidden id is told by its number: of the stanza, of what is known, or not at all', async () => {
  const from = async (attrs, known = null) =>
    (await inbound(stanza({ from: '100000000000001@lid', ...attrs }), padded({ conversation: 'x' }), ME, async () => known)).from;
  assert.equal(await from({ sender_pn: CHAT }), '+15551230001');
  assert.equal(await from({}, '15551230002@s.whatsapp.net'), '+15551230002');
  assert.equal(await from({}), '100000000000001@lid');
});

test('a message of this account\'s other device names the chat it was sent to', async () => {
  const message = { deviceSentMessage: { destinationJid: CHAT, message: { conversation: 'from my phone' } } };
  const attrs = { from: '15551230009@s.whatsapp.net', recipient: CHAT };
  const event = await inbound(stanza(attrs), padded(message), ME, async () => null);
  const { chat, from, from_me, content: said } = event;
  assert.deepEqual({ chat, from, from_me }, { chat: '+15551230001', from: '+15551230009', from_me: true });
  assert.deepEqual(said, { type: 'text', body: 'from my phone' });
});

test('in a group the author is told, and what is in no chat is not', async () => {
  const attrs = { from: GROUP, participant: '100000000000001:2@lid', participant_pn: CHAT, notify: 'Ada' };
  const event = await inbound(stanza(attrs), padded({ conversation: 'x' }), ME, async () => null);
  assert.deepEqual([event.chat, event.from, event.name], [GROUP, '+15551230001', 'Ada']);
  const status = stanza({ from: 'status@broadcast', participant: CHAT });
  assert.equal(await inbound(status, padded({ conversation: 'x' }), ME, async () => null), null);
});

test('receipts are one event a message, also from who is not looking, and never for this account\'s devices', () => {
  const node = (attrs, content) => ({ tag: 'receipt', attrs: { id: 'A', from: CHAT, ...attrs }, content });
  const kinds = (...nodes) => nodes.map(one => receipts(one, ME).map(({ wa_id, kind }) => `${wa_id} ${kind}`));
  const list = [{ tag: 'list', attrs: {}, content: [{ tag: 'item', attrs: { id: 'B' } }] }];
  assert.deepEqual(
    kinds(node({}), node({ type: 'inactive' }), node({ type: 'read' }, list), node({ type: 'played' })),
    [['A delivered'], ['A delivered'], ['A read', 'B read'], ['A played']],
  );
  assert.deepEqual(kinds(node({ type: 'retry' }), node({ type: 'server-error' })), [[], []]);
  assert.deepEqual(kinds(node({ from: '15551230009@s.whatsapp.net' }), node({ from: GROUP, participant: ME.lid })), [[], []]);
});
