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
