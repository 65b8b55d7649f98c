import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import * as media from '../src/media.mjs';
import { route } from '../src/routes.mjs';

/** A media host that keeps one file, and a folder. */
async function host(work) {
  const folder = mkdtempSync(join(tmpdir(), 'columba-media-'));
  const kept = { bytes: null };
  const server = http.createServer((_, answer) => (kept.bytes ? answer.end(kept.bytes) : answer.writeHead(404).end()));
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const hostname = `127.0.0.1:${server.address().port}`;
  const socket = {
    refreshMediaConn: async () => ({ hosts: [{ hostname }] }),
    waUploadToServer: async path => {
      kept.bytes = readFileSync(path);
      return { mediaUrl: `https://${hostname}/x`, directPath: '/x' };
    },
  };
  const { fetchAgent: agent } = route({ endpoint: 'ws://127.0.0.1:1/' });
  try {
    await work({ folder, kept, socket, agent });
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
}

const code = async work => work.then(() => 'well', error => error.answer?.code ?? String(error));

for (const size of [0, 1, 15, 16, 300_007]) {
  test(`${size} bytes are sealed, uploaded and come back as they were`, () =>
    host(async ({ folder, kept, socket, agent }) => {
      const bytes = Buffer.from(Array.from({ length: size }, (_, at) => (at * at) >> 7));
      writeFileSync(join(folder, 'out'), bytes);
      const file = { name: 'out', mime: 'application/pdf', size, file_name: 'invoice.pdf' };
      const message = await media.upload(socket, folder, { media: 'document', file, caption: 'look' }, undefined);
      assert.ok(size < 16 || !kept.bytes.includes(bytes.subarray(0, 16)), 'it is encrypted');
      assert.deepEqual(readdirSync(folder), ['out'], 'nothing of it stays');
      const heard = media.heard(message);
      assert.deepEqual([heard.media, heard.caption, heard.file.file_name, heard.file.size], ['document', 'look', 'invoice.pdf', size]);
      const fetch = (name, max_bytes) => media.fetch(socket, agent, folder, { handle: heard.file.handle, name, max_bytes });
      assert.equal(await fetch('in', 1 << 20), size);
      assert.deepEqual(readFileSync(join(folder, 'in')), bytes);
      assert.equal(await code(fetch('in', 1 << 20)), 'invalid', 'the name is taken');
      if (size > 0) assert.equal(await code(fetch('small', size - 1)), 'too_large');
      // One byte of the ciphertext, or of the MAC, or less of it.
      for (const [at, name] of [[0, 'first'], [kept.bytes.length - 1, 'last']]) {
        kept.bytes[at] ^= 1;
        assert.equal(await code(fetch(name, 1 << 20)), 'not_found');
        kept.bytes[at] ^= 1;
      }
      kept.bytes = kept.bytes.subarray(0, 5);
      assert.equal(await code(fetch('short', 1 << 20)), 'not_found');
      kept.bytes = null;
      assert.equal(await code(fetch('gone', 1 << 20)), 'not_found');
      assert.deepEqual(readdirSync(folder).sort(), ['in', 'out'], 'a failed one leaves nothing behind');
    }));
}

test('a host that sends more than it said is cut off', () =>
  host(async ({ folder, kept, socket, agent }) => {
    writeFileSync(join(folder, 'out'), 'x'.repeat(100));
    const message = await media.upload(socket, folder, { media: 'image', file: { name: 'out', mime: 'image/jpeg' } }, undefined);
    const handle = JSON.parse(Buffer.from(media.heard(message).file.handle, 'base64'));
    const small = Buffer.from(JSON.stringify({ ...handle, size: 1 })).toString('base64');
    kept.bytes = Buffer.alloc(1 << 20);
    assert.equal(await code(media.fetch(socket, agent, folder, { handle: small, name: 'in', max_bytes: 50 })), 'too_large');
    assert.deepEqual(readdirSync(folder), ['out']);
  }));

test('no link, no missing file and no handle of anybody else is followed', () =>
  host(async ({ folder, socket, agent }) => {
    const send = name => code(media.upload(socket, folder, { media: 'image', file: { name, mime: 'image/jpeg' } }, undefined));
    symlinkSync('/etc/passwd', join(folder, 'link'));
    assert.equal(await send('link'), 'not_sent');
    assert.equal(await send('absent'), 'not_found');
    assert.equal(await send('../absent'), 'invalid');
    const whole = { kind: 'image', path: '/x', key: '', sha256: '', enc_sha256: '', size: 1 };
    for (const wrong of [null, 'x', {}, { ...whole, path: '//evil/x' }, { ...whole, path: '@evil/x' }, { ...whole, kind: 'x' }]) {
      const handle = Buffer.from(JSON.stringify(wrong)).toString('base64');
      assert.equal(await code(media.fetch(socket, agent, folder, { handle, name: 'in', max_bytes: 9 })), 'invalid', JSON.stringify(wrong));
    }
  }));
