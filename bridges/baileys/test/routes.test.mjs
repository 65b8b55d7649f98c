import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import test from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import { route } from '../src/routes.mjs';

const listen = server => new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

/** An HTTP proxy that asks for a name and a password, and notes where it was asked to. */
function httpProxy(asked) {
  const proxy = http.createServer((_, answer) => answer.writeHead(501).end());
  proxy.on('connect', ({ url, headers }, client) => {
    asked.push([url, headers['proxy-authorization']]);
    const { port } = new URL(`http://${url}`);
    const server = net.connect(Number(port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      server.pipe(client).pipe(server);
    });
    for (const side of [client, server]) side.on('error', () => {});
  });
  return proxy;
}

/** The same in SOCKS 5, which is asked for a name, not an address. */
function socksProxy(asked) {
  return net.createServer(client => {
    const steps = [
      greeting => client.write(greeting.includes(2) ? '\x05\x02' : '\x05\xff'),
      login => {
        const name = login.subarray(2, 2 + login[1]).toString();
        asked.push([name, login.subarray(3 + login[1]).toString()]);
        client.write('\x01\x00');
      },
      request => {
        const length = request[4];
        const name = request.subarray(5, 5 + length).toString();
        asked.push([request[3], name]);
        const server = net.connect(request.readUInt16BE(5 + length), '127.0.0.1', () => {
          client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
          server.pipe(client).pipe(server);
        });
        server.on('error', () => {});
      },
    ];
    client.on('data', chunk => steps.shift()?.(chunk));
    client.on('error', () => {});
  });
}

for (const [scheme, made, noted] of [
  ['http', httpProxy, port => [[`chat.invalid:${port}`, `Basic ${Buffer.from('user:secret').toString('base64')}`]]],
  ['socks5', socksProxy, () => [['user', 'secret'], [3, 'chat.invalid']]],
]) {
  test(`a socket goes through its ${scheme} proxy, which resolves the name`, async () => {
    const asked = [];
    const proxy = made(asked);
    const proxyPort = await listen(proxy);
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise(resolve => server.once('listening', resolve));
    server.on('connection', socket => socket.on('message', bytes => socket.send(bytes)));
    const { port } = server.address();
    const { agent } = route({ proxy: `${scheme}://user:secret@127.0.0.1:${proxyPort}` });
    const socket = new WebSocket(`ws://chat.invalid:${port}/`, { agent });
    try {
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      socket.send('coo');
      const [echo] = await new Promise(resolve => socket.once('message', (...told) => resolve(told)));
      assert.equal(String(echo), 'coo');
      assert.deepEqual(asked, noted(port));
    } finally {
      socket.terminate();
      server.close();
      proxy.close();
    }
  });
}

const opened = (address, agent) => {
  const socket = new WebSocket(address, { agent });
  return new Promise(resolve => socket.once('open', () => resolve(socket)).once('error', () => resolve(null)));
};

for (const [scheme, made] of [['http', httpProxy], ['socks5', socksProxy]]) {
  test(`a ${scheme} proxy that refuses, hangs up or is not there is known for what it is`, async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise(resolve => server.once('listening', resolve));
    const chat = `ws://localhost:${server.address().port}/`;
    const proxy = made([]);
    const port = await listen(proxy);
    const refusing = http.createServer();
    refusing.on('connect', (_, client) => client.end('HTTP/1.1 407 Who are you?\r\ncontent-length: 0\r\n\r\n'));
    const mute = net.createServer(client => client.destroy());
    const others = await Promise.all([refusing, mute].map(listen));
    try {
      const ways = others.concat(1).map(at => route({ proxy: `${scheme}://user:secret@127.0.0.1:${at}` }));
      for (const { agent, way } of ways) {
        assert.equal(way.isShut, false, 'nothing was tried yet');
        assert.equal(await opened(chat, agent), null);
        assert.equal(way.isShut, true);
      }
      const { agent, fetchAgent, way } = route({ proxy: `${scheme}://user:secret@127.0.0.1:${port}` });
      assert.equal(fetchAgent, agent, 'media go the same way');
      (await opened(chat, agent)).terminate();
      assert.equal(way.isShut, false);
    } finally {
      for (const each of [server, proxy, refusing, mute]) each.close();
    }
  });
}

test('what the bridge does not speak is refused before anything is opened', () => {
  for (const proxy of ['ftp://proxy', 'socks4://proxy', 'socks5h://proxy', 'proxy:1080', '']) {
    assert.throws(() => route({ proxy }), /invalid/, proxy);
  }
});
