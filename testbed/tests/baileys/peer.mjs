// An unmodified Baileys client, driven by lines of JSON: what happens goes to standard output, what to do comes from
// standard input. Arguments: where clients connect.
import net from 'node:net';
import https from 'node:https';
import readline from 'node:readline';
import makeWASocket, { DisconnectReason, downloadMediaMessage, initAuthCreds } from 'baileys';
import pino from 'pino';

// libsignal tells the console about its sessions, keys included; standard output is ours.
console.log = console.info = console.warn = console.error = () => {};
const [url] = process.argv.slice(2);
const logger = pino({ level: process.env.BAILEYS_LOG ?? 'silent' }, pino.destination(2));
const tell = what => process.stdout.write(JSON.stringify(what) + '\n');

// The media host speaks plain HTTP and Baileys insists on https: an agent whose connections carry no TLS for what
// Baileys uploads by node:https, and http for what it downloads by fetch.
class Plain extends https.Agent {
  createConnection(options) { return net.connect(options.port, options.host); }
}
const fetched = globalThis.fetch;
globalThis.fetch = (what, ...rest) => fetched(String(what).replace('https://127.0.0.1', 'http://127.0.0.1'), ...rest);

const kept = new Map();
const auth = {
  creds: initAuthCreds(),
  keys: {
    get: async (type, ids) => Object.fromEntries(ids.map(id => [id, kept.get(`${type}:${id}`)])),
    set: async data => {
      for (const type in data) for (const id in data[type]) {
        const value = data[type][id];
        value == null ? kept.delete(`${type}:${id}`) : kept.set(`${type}:${id}`, value);
      }
    },
  },
};

let socket;
function connect() {
  socket = makeWASocket({
    auth, logger, waWebSocketUrl: url, fetchAgent: new Plain(), syncFullHistory: false, markOnlineOnConnect: false,
    // With history it would keep every event of a first login back for 20 s, waiting for a history that no phone here has.
    shouldSyncHistoryMessage: () => false,
    getMessage: async () => undefined,
  });
  socket.ev.on('creds.update', update => Object.assign(auth.creds, update));
  socket.ev.on('connection.update', ({ qr, connection, lastDisconnect }) => {
    if (qr) tell({ event: 'qr', qr });
    if (connection === 'open') tell({ event: 'open', me: auth.creds.me });
    if (connection === 'close') {
      const code = lastDisconnect?.error?.output?.statusCode;
      tell({ event: 'close', code });
      if (![DisconnectReason.loggedOut, DisconnectReason.connectionReplaced, 402, 403, 405, 406].includes(code)) setTimeout(connect, 100);
    }
  });
  socket.ev.on('messages.upsert', async ({ messages }) => {
    for (const m of messages) {
      // What it buffers it merges: a receipt may come as part of the message it is about.
      if (m.key.fromMe && m.status) tell({ event: 'status', id: m.key.id, status: m.status });
      const text = m.message?.conversation ?? m.message?.extendedTextMessage?.text ?? m.message?.imageMessage?.caption;
      if (m.messageStubType || text === undefined || text === null) continue;
      let media;
      if (m.message.imageMessage) media = (await downloadMediaMessage(m, 'buffer', {}, { logger })).toString('base64');
      tell({ event: 'message', id: m.key.id, fromMe: m.key.fromMe, chat: m.key.remoteJid, text, media });
    }
  });
  socket.ev.on('messages.update', updates => {
    for (const { key, update } of updates) if (update.status) tell({ event: 'status', id: key.id, status: update.status });
  });
}
connect();

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { act, ...how } = JSON.parse(line);
  try {
    if (act === 'send') await socket.sendMessage(how.to, { text: how.text }, { messageId: how.id });
    if (act === 'image') await socket.sendMessage(how.to, { image: Buffer.from(how.bytes, 'base64'), caption: how.text, jpegThumbnail: '' }, { messageId: how.id });
    if (act === 'code') tell({ event: 'code', code: await socket.requestPairingCode(how.phone) });
    if (act === 'exit') process.exit(0);
  } catch (error) {
    tell({ event: 'error', act, text: String(error?.stack ?? error) });
  }
}
