// Ways to WhatsApp: directly, through a session's proxy, or to a test server.
import https from 'node:https';
import net from 'node:net';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { SocksProxyAgent } from 'socks-proxy-agent';
import { invalid } from './failure.mjs';

const isLoopback = host => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host ?? '');

/** A test server's media host speaks plain HTTP, and the library insists on https. Nobody else is spoken to like that. */
class TestAgent extends https.Agent {
  createConnection(options, done) {
    return isLoopback(options.host) ? net.connect(options.port, options.host) : super.createConnection(options, done);
  }
}

/** An agent for all traffic of a session. Names are resolved by the proxy. @param {string} proxy */
export function through(proxy) {
  let url;
  try {
    url = new URL(proxy);
  } catch {
    throw invalid('proxy: no address');
  }
  const scheme = url.protocol.slice(0, -1);
  if (scheme === 'http' || scheme === 'https') return new HttpsProxyAgent(url);
  if (scheme === 'socks5' || scheme === 'socks5h') return new SocksProxyAgent(url.href.replace(/^socks5:/, 'socks5h:'));
  throw invalid('proxy: http, https, socks5 or socks5h');
}

/** What the library is told: `{agent, fetchAgent, waWebSocketUrl}`, of each what there is. */
export function route({ proxy, endpoint }) {
  if (endpoint !== undefined && !/^wss?:\/\//.test(endpoint)) throw invalid('endpoint: a ws:// or wss:// address');
  const agent = proxy === undefined ? undefined : through(proxy);
  const fetchAgent = endpoint === undefined ? agent : new TestAgent();
  return {
    ...(agent && { agent }),
    ...(fetchAgent && { fetchAgent }),
    ...(endpoint !== undefined && { waWebSocketUrl: endpoint }),
  };
}
