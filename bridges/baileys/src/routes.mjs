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

/** Which of a session's connections its proxy has made. */
class Way {
  tried = 0;
  made = 0;

  /** Whether nothing has come through. */
  get isShut() {
    return this.tried > 0 && this.made === 0;
  }
}

/** Counts what an agent connects. A test server's media host is spoken to in the clear, by way of the proxy too. */
function watched(agent, way, isTest) {
  const connect = agent.connect.bind(agent);
  let wasRefused = false;
  // A proxy's refusal is passed on as if it were the server's answer.
  agent.on('proxyConnect', ({ statusCode }) => (wasRefused = statusCode !== 200));
  agent.connect = async (request, options) => {
    way.tried += 1;
    const secureEndpoint = options.secureEndpoint && !(isTest && isLoopback(options.host));
    const socket = await connect(request, { ...options, secureEndpoint });
    if (!wasRefused) way.made += 1;
    return socket;
  };
  return agent;
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
  if (scheme === 'socks5') return new SocksProxyAgent(url.href.replace(/^socks5:/, 'socks5h:'));
  throw invalid('proxy: http, https or socks5');
}

/** What the library is told: `{agent, fetchAgent, waWebSocketUrl}`, of each what there is; and `way`, if there is a proxy. */
export function route({ proxy, endpoint }) {
  if (endpoint !== undefined && !/^wss?:\/\//.test(endpoint)) throw invalid('endpoint: a ws:// or wss:// address');
  const way = proxy === undefined ? undefined : new Way();
  const agent = way && watched(through(proxy), way, endpoint !== undefined);
  const fetchAgent = agent ?? (endpoint === undefined ? undefined : new TestAgent());
  return {
    ...(way && { agent, way }),
    ...(fetchAgent && { fetchAgent }),
    ...(endpoint !== undefined && { waWebSocketUrl: endpoint }),
  };
}
