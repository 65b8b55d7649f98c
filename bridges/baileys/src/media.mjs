// Bodies of media, between files of the media folder and WhatsApp's hosts, in constant memory. Keys come from a secret of 32
// bytes in the message; the ciphertext ends in ten bytes of a MAC. Checked here, because the library's own download checks none
// of it.
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DEFAULT_ORIGIN, getMediaKeys, toNumber } from 'baileys';
import { Failure, invalid } from './failure.mjs';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY } = constants;
/** Bytes of the MAC at the end of a ciphertext. */
const MAC = 10;
/** Bytes read at a time. */
const CHUNK = 64 * 1024;
/** Milliseconds without a byte after which a host is given up. */
const STALLED = 30_000;

/** A kind of the protocol: the library's name of its message, and of its keys. */
const KINDS = {
  image: ['imageMessage', 'image'],
  video: ['videoMessage', 'video'],
  audio: ['audioMessage', 'audio'],
  voice: ['audioMessage', 'audio'],
  document: ['documentMessage', 'document'],
  sticker: ['stickerMessage', 'sticker'],
};

/** A file in the media folder, by a name that leads nowhere else. */
export function place(folder, name) {
  if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    throw invalid('name: 1 to 64 of A-Z, a-z, 0-9, _ and -');
  }
  return join(folder, name);
}

/** A file's bytes. The handle stays open. */
async function* chunksOf(file) {
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK));
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Writes all of what comes, one after the other. The handle stays open. */
const into = file => async chunks => {
  for await (const chunk of chunks) await file.writeFile(chunk);
};

/** Passes bytes on and shows them to `see`. */
const through = see =>
  new Transform({
    transform(chunk, _, done) {
      see(chunk);
      done(null, chunk);
    },
  });

/** Encrypts a file into one without a name, so that nothing of it stays. */
async function seal(folder, from, type) {
  const key = randomBytes(32);
  const { cipherKey, iv, macKey } = await getMediaKeys(key, type);
  const [plain, whole, mac] = [createHash('sha256'), createHash('sha256'), createHmac('sha256', macKey).update(iv)];
  const source = await open(from, O_RDONLY | O_NOFOLLOW);
  let sealed;
  try {
    const path = join(folder, `.sealed-${randomBytes(8).toString('hex')}`);
    sealed = await open(path, O_RDWR | O_CREAT | O_EXCL, 0o600);
    await rm(path);
    let size = 0;
    await pipeline(
      chunksOf(source),
      through(chunk => {
        plain.update(chunk);
        size += chunk.length;
      }),
      createCipheriv('aes-256-cbc', cipherKey, iv),
      async function* sign(chunks) {
        for await (const chunk of chunks) {
          mac.update(chunk);
          whole.update(chunk);
          yield chunk;
        }
        const tail = mac.digest().subarray(0, MAC);
        whole.update(tail);
        yield tail;
      },
      into(sealed),
    );
    return { sealed, key, size, sha256: plain.digest(), encSha256: whole.digest() };
  } catch (error) {
    await sealed?.close();
    throw error;
  } finally {
    await source.close();
  }
}

/**
 * Encrypts and uploads a file; nothing was sent when it fails.
 * @returns {Promise<object>} The message that carries it.
 */
export async function upload(socket, folder, { media: kind, file, caption }, contextInfo) {
  const [field, type] = KINDS[kind] ?? [];
  if (!field) throw new Failure('unsupported');
  const from = place(folder, file?.name);
  let body;
  try {
    body = await seal(folder, from, type);
  } catch (error) {
    if (error?.code === 'ENOENT') throw new Failure('not_found', 'file: not in the media folder');
    throw new Failure('not_sent', `file: ${error?.code ?? 'cannot be read'}`);
  }
  let put;
  try {
    // By its descriptor: the file has no name.
    put = await socket.waUploadToServer(`/proc/self/fd/${body.sealed.fd}`, {
      mediaType: type,
      fileEncSha256B64: body.encSha256.toString('base64'),
      timeoutMs: STALLED,
    });
  } catch {
    throw new Failure('not_sent', 'the media host did not take the file');
  } finally {
    await body.sealed.close();
  }
  const message = {
    url: put.mediaUrl,
    directPath: put.directPath,
    mediaKey: body.key,
    mediaKeyTimestamp: Math.floor(Date.now() / 1_000),
    fileSha256: body.sha256,
    fileEncSha256: body.encSha256,
    fileLength: body.size,
    mimetype: file.mime,
    ...(caption !== undefined && kind !== 'audio' && kind !== 'voice' && kind !== 'sticker' && { caption }),
    ...(kind === 'document' && { fileName: file.file_name }),
    ...(kind === 'voice' && { ptt: true }),
    ...(file.seconds !== undefined && type !== 'document' && { seconds: file.seconds }),
    ...(contextInfo && { contextInfo }),
  };
  return { [field]: message };
}

const base64 = bytes => Buffer.from(bytes).toString('base64');

/** Media that came in, with what it takes to fetch them; `null` when there are none. @param {object} base The bare message. */
export function heard(base) {
  for (const [kind, [field]] of Object.entries(KINDS)) {
    const found = base[field];
    if (!found || (field === 'audioMessage' && (kind === 'voice') !== Boolean(found.ptt))) continue;
    const { directPath, mediaKey, fileSha256, fileEncSha256 } = found;
    if (!directPath || !mediaKey?.length || !fileSha256?.length || !fileEncSha256?.length) return null;
    const size = toNumber(found.fileLength) || 0;
    const handle = {
      kind,
      path: directPath,
      key: base64(mediaKey),
      sha256: base64(fileSha256),
      enc_sha256: base64(fileEncSha256),
      size,
    };
    const file = {
      handle: base64(JSON.stringify(handle)),
      mime: found.mimetype || 'application/octet-stream',
      size,
      ...(kind === 'document' && found.fileName && { file_name: found.fileName }),
      ...(found.seconds && { seconds: found.seconds }),
    };
    return { type: 'media', media: kind, file, ...(found.caption && { caption: found.caption }) };
  }
  return null;
}

function opened(handle) {
  try {
    const { kind, path, key, sha256, enc_sha256, size } = JSON.parse(Buffer.from(handle, 'base64').toString());
    const isUsable = KINDS[kind] && /^\/[^\s]*$/.test(path) && !path.startsWith('//') && Number.isSafeInteger(size);
    if (!isUsable) throw invalid('handle');
    const [secret, plain, whole] = [key, sha256, enc_sha256].map(text => Buffer.from(text, 'base64'));
    return { type: KINDS[kind][1], path, secret, plain, whole, size };
  } catch {
    throw invalid('handle');
  }
}

/** A body from a host. */
function body(url, agent) {
  return new Promise((resolve, reject) => {
    const asked = https.get(url, { agent, headers: { Origin: DEFAULT_ORIGIN }, timeout: STALLED }, answer => {
      if (answer.statusCode === 200) return resolve(answer);
      answer.resume();
      reject(new Failure('not_found', `the media host answered ${answer.statusCode}`));
    });
    asked.on('timeout', () => asked.destroy(new Error('stalled')));
    asked.on('error', reject);
  });
}

/** Holds the last bytes back, which are the MAC, and checks it and the digest of all. */
function verified(mac, expected, tooLarge, bound) {
  const whole = createHash('sha256');
  let held = Buffer.alloc(0);
  let size = 0;
  return new Transform({
    transform(chunk, _, done) {
      size += chunk.length;
      // Padding is at most a block.
      if (size > bound + 16 + MAC) return done(tooLarge());
      whole.update(chunk);
      const all = Buffer.concat([held, chunk]);
      const cut = Math.max(0, all.length - MAC);
      held = all.subarray(cut);
      mac.update(all.subarray(0, cut));
      done(null, all.subarray(0, cut));
    },
    flush(done) {
      const isWhole = held.length === MAC && timingSafeEqual(mac.digest().subarray(0, MAC), held);
      done(isWhole && whole.digest().equals(expected) ? null : new Error('another file'));
    },
  });
}

/** Fetches a file; a failed one leaves nothing behind. @returns {Promise<number>} Its size. */
export async function fetch(socket, agent, folder, { handle, name, max_bytes: bound }) {
  const { type, path, secret, plain, whole, size } = opened(handle);
  const to = place(folder, name);
  const tooLarge = () => new Failure('too_large', 'the file has more bytes than allowed');
  if (size > bound) throw tooLarge();
  const { cipherKey, iv, macKey } = await getMediaKeys(secret, type);
  let file;
  try {
    file = await open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  } catch (error) {
    throw invalid(`name: ${error?.code ?? 'cannot be made'}`);
  }
  try {
    const { hosts } = await socket.refreshMediaConn(false);
    if (!hosts[0]) throw new Failure('not_found', 'WhatsApp names no media host');
    const digest = createHash('sha256');
    let written = 0;
    await pipeline(
      await body(`https://${hosts[0].hostname}${path}`, agent),
      verified(createHmac('sha256', macKey).update(iv), whole, tooLarge, bound),
      createDecipheriv('aes-256-cbc', cipherKey, iv),
      through(chunk => {
        digest.update(chunk);
        written += chunk.length;
      }),
      into(file),
    );
    if (written > bound) throw tooLarge();
    if (!digest.digest().equals(plain)) throw new Error('another file');
    return written;
  } catch (error) {
    await rm(to, { force: true });
    throw error instanceof Failure ? error : new Failure('not_found', 'the media host did not give the file');
  } finally {
    await file.close();
  }
}
