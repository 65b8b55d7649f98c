import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Curve, generateSignalPubKey, proto, WA_CERT_DETAILS } from 'baileys';
import * as keys from '../src/keys.mjs';
import { Lines, MAX_FRAME } from '../src/lines.mjs';
import { place } from '../src/media.mjs';
import { route } from '../src/routes.mjs';
import { digest, script } from '../src/seal.mjs';
import { establish } from '../src/trust.mjs';
import { isReadable, LIBRARY, VAULT_FORMAT } from '../src/versions.mjs';

test('lines are whole whatever the chunks are', () => {
  const stream = Buffer.from('{"a":1}\n\n{"b":"é"}\n');
  for (let size = 1; size <= stream.length; size += 1) {
    const lines = new Lines();
    const found = [];
    for (let at = 0; at < stream.length; at += size) found.push(...lines.take(stream.subarray(at, at + size)));
    assert.deepEqual(found.map(String), ['{"a":1}', '', '{"b":"é"}'], `in chunks of ${size}`);
  }
});

test('a line that is longer than a frame ends it', () => {
  const lines = new Lines();
  assert.deepEqual(lines.take(Buffer.alloc(MAX_FRAME - 1)), []);
  assert.equal(lines.take(Buffer.alloc(1)), null);
});

test('state of another engine or a later form is left alone', () => {
  const writer = (version, format = VAULT_FORMAT, engine = 'baileys') => ({ engine, version, format });
  for (const [written, clean, readable] of [
    [undefined, false, true],
    [null, true, true],
    [writer(LIBRARY), false, true],
    [writer('6.7.24'), false, true],
    [writer('7.0.0-rc9'), false, true],
    [writer('7.0.0-rc15'), false, false],
    [writer('7.0.0-rc15'), true, true],
    [writer('7.0.0'), false, false],
    [writer('7.0.1'), true, true],
    [writer(LIBRARY, VAULT_FORMAT + 1), true, false],
    [writer(LIBRARY, VAULT_FORMAT, 'native'), true, false],
  ]) {
    assert.equal(isReadable(written, clean), readable, `${JSON.stringify(written)}, clean ${clean}`);
  }
});

test('names in the media folder lead nowhere else', () => {
  assert.equal(place('/media', 'out_01-a'), '/media/out_01-a');
  for (const name of ['../secret', '/etc/passwd', '', '.', 'a b', 'a\0', 'x'.repeat(65), undefined, 7]) {
    assert.throws(() => place('/media', name), { message: 'invalid' }, String(name));
  }
});

test('a session goes through its proxy, and to a test server only where one is named', () => {
  assert.deepEqual(route({}), {});
  for (const proxy of ['http://proxy:1', 'https://u:p@proxy:1', 'socks5://u:p@proxy:1']) {
    const { agent, fetchAgent, waWebSocketUrl } = route({ proxy });
    assert.ok(agent && agent === fetchAgent && waWebSocketUrl === undefined, proxy);
  }
  assert.equal(route({ proxy: 'socks5://proxy:1' }).agent.shouldLookup, false, 'names are the proxy\'s to resolve');
  const test = route({ endpoint: 'ws://127.0.0.1:1/ws/chat' });
  assert.equal(test.waWebSocketUrl, 'ws://127.0.0.1:1/ws/chat');
  assert.ok(test.fetchAgent && !test.agent);
  for (const wrong of [{ proxy: 'nowhere' }, { proxy: 'ftp://proxy:1' }, { endpoint: 'http://127.0.0.1' }]) {
    assert.throws(() => route(wrong), { message: 'invalid' });
  }
});

const { Details } = proto.CertChain.NoiseCertificate;
const certificate = (serial, key) => Buffer.from(Details.encode({ serial, issuerSerial: 0, key }).finish());

test('a signature that is none is found out, and a certificate has to be about the key that is spoken with', () => {
  const [root, issuer, server] = [Curve.generateKeyPair(), Curve.generateKeyPair(), Curve.generateKeyPair()];
  const leaf = certificate(2, server.public);
  const middle = certificate(1, issuer.public);
  const real = WA_CERT_DETAILS.PUBLIC_KEY;
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(root.public);
  try {
    establish({ testbed: false });
    const [ofLeaf, ofMiddle] = [Curve.sign(issuer.private, leaf), Curve.sign(root.private, middle)];
    Curve.sharedKey(root.private, server.public);
    assert.ok(Curve.verify(issuer.public, leaf, ofLeaf));
    assert.ok(Curve.verify(WA_CERT_DETAILS.PUBLIC_KEY, middle, ofMiddle));
    assert.ok(!Curve.verify(issuer.public, leaf, ofMiddle), 'signed for something else');
    assert.ok(!Curve.verify(root.public, leaf, Buffer.alloc(64)), 'zeros');
    assert.ok(!Curve.verify(issuer.public, leaf, Buffer.alloc(3)), 'too short');
    Curve.sharedKey(root.private, issuer.public);
    assert.ok(!Curve.verify(issuer.public, leaf, ofLeaf), 'a real certificate in another mouth');
    // What a phone signs at pairing is checked in a test build too.
    establish({ testbed: true });
    const device = Buffer.from([6, 0, 1, 2, 3]);
    assert.ok(Curve.verify(issuer.public, leaf, Buffer.alloc(64)));
    assert.ok(Curve.verify(root.public, device, Curve.sign(root.private, device)));
    assert.ok(!Curve.verify(issuer.public, device, Curve.sign(root.private, device)));
    assert.equal(generateSignalPubKey(root.public).length, 33);
  } finally {
    WA_CERT_DETAILS.PUBLIC_KEY = real;
  }
});

test('keys that were made ahead are keys, and each is given once, to the session they were made for', async () => {
  keys.establish();
  const [mine, others] = [await keys.stock(3), await keys.stock(2)];
  const [first] = others;
  const made = await keys.taking(mine, async () => {
    await new Promise(setImmediate);
    return Array.from({ length: 5 }, () => Curve.generateKeyPair());
  });
  assert.equal(new Set(made.map(pair => pair.private.toString('hex'))).size, 5);
  assert.deepEqual([mine.length, others.length], [0, 2]);
  for (const pair of [...made, first, Curve.generateKeyPair()]) {
    const [one, other] = [Curve.sharedKey(pair.private, first.public), Curve.sharedKey(first.private, pair.public)];
    assert.deepEqual(one, other);
    assert.ok(Curve.verify(pair.public, Buffer.from([6, 1]), Curve.sign(pair.private, Buffer.from([6, 1]))));
  }
});

test('a seal is broken by a byte, by a name and by a file more', () => {
  const folder = mkdtempSync(join(tmpdir(), 'columba-seal-'));
  try {
    for (const name of ['src', 'node_modules']) mkdirSync(join(folder, name));
    const write = (path, text) => writeFileSync(join(folder, path), text);
    for (const path of ['bridge.mjs', 'package.json', 'package-lock.json', 'src/a.mjs', 'node_modules/b.js']) write(path, path);
    const sealed = digest(folder);
    write('node_modules/.package-lock.json', 'npm\'s own');
    write('unrelated.txt', 'x');
    assert.equal(digest(folder), sealed);
    const seen = new Set([sealed]);
    const differs = () => {
      const now = digest(folder);
      assert.ok(!seen.has(now));
      seen.add(now);
    };
    write('node_modules/b.js', 'changed');
    differs();
    write('node_modules/c.js', '');
    differs();
    rmSync(join(folder, 'node_modules/b.js'));
    differs();
    write('bridge.mjs', 'changed');
    differs();
    // What is written for an installation runs it, and runs nothing of another.
    write('bridge.mjs', "import './src/a.mjs'; process.exit(7);");
    write('src/a.mjs', '');
    write('sealed.mjs', script(digest(folder)));
    const run = () => spawnSync(process.execPath, [join(folder, 'sealed.mjs')], { encoding: 'utf8' });
    assert.equal(run().status, 7);
    write('src/a.mjs', 'process.exit(8);');
    const { status, stderr } = run();
    assert.equal(status, 64);
    assert.match(stderr, /their digest is [0-9a-f]{64}, expected [0-9a-f]{64}/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
