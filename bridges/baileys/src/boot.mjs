// From the boot line to the end. This process must not outlive its supervisor by a second.
import { readSync } from 'node:fs';
import net from 'node:net';
import { Worker } from 'node:worker_threads';
import { Bridge } from './bridge.mjs';
import * as keys from './keys.mjs';
import { Lines } from './lines.mjs';
import { kind, note } from './log.mjs';
import * as trust from './trust.mjs';
import { BUILD, LIBRARY, VAULT_FORMAT } from './versions.mjs';
import { Wire } from './wire.mjs';

const PROTOCOL = 1;
/** The boot line or the supervisor's answer cannot be used. */
const USAGE = 64;
/** Bytes of a boot line. */
const MAX_BOOT = 64 * 1024;

/** What this engine can do. */
const CAPABILITIES = [
  'pair_qr',
  'pair_code',
  'hold_inbound',
  'caller_ids',
  'text',
  'media',
  'reaction',
  'edit',
  'revoke',
  'reply',
  'poll',
  'location',
  'contacts',
  'mark_read',
  'typing',
  'check_number',
  'groups',
  'contact_list',
  'restriction',
  'proxy',
  'endpoint',
];

/** The first line of standard input, or `null`. Nothing else is to be done before it came. */
function bootLine() {
  const chunks = [];
  const one = Buffer.alloc(1);
  try {
    // Byte by byte: what comes after the line is not ours to take.
    while (chunks.length < MAX_BOOT && readSync(0, one) === 1) {
      if (one[0] === 0x0a) return JSON.parse(Buffer.from(chunks).toString());
      chunks.push(one[0]);
    }
  } catch {
    // Neither a line nor JSON.
  }
  return null;
}

/** The end of standard input is the supervisor's end, and so is another parent. A thread of its own: it must see that also
 * when the loop is stuck. */
function holdLifeline(supervisor) {
  const lifeline = new Worker(new URL('./lifeline.mjs', import.meta.url), { workerData: { supervisor }, stdin: false });
  lifeline.unref();
}

/** @param {{testbed: boolean}} how */
export async function main({ testbed }) {
  // Heard and not heeded: the supervisor says what is to be done.
  process.on('SIGTERM', () => {});
  const boot = bootLine();
  if (boot?.protocol !== PROTOCOL || typeof boot.socket !== 'string' || typeof boot.token !== 'string') process.exit(USAGE);
  if (process.ppid !== boot.supervisor) process.exit(0);
  holdLifeline(boot.supervisor);
  trust.establish({ testbed });
  keys.establish();
  // The library drops promises. What fails there is seen by its socket's end, or by nobody.
  process.on('unhandledRejection', error => note(`a promise of the library failed: ${kind(error)}`));
  // One session's trouble, told without its words: node would print them. The others go on; whoever is stuck fails its probe.
  process.on('uncaughtException', error => note(`a callback of the library failed: ${kind(error)}`));

  const socket = net.connect(boot.socket);
  socket.on('error', () => {});
  socket.on('close', () => process.exit(0));
  const wire = new Wire(line => socket.write(line));
  const capabilities = testbed ? [...CAPABILITIES, 'testbed'] : CAPABILITIES;
  wire.say({
    t: 'hello',
    protocol: PROTOCOL,
    token: boot.token,
    pid: process.pid,
    engine: 'baileys',
    version: LIBRARY,
    build: BUILD,
    vault_format: VAULT_FORMAT,
    capabilities,
  });

  /** @type {Bridge | null} */
  let bridge = null;
  const take = line => {
    const frame = JSON.parse(line.toString());
    if (bridge === null) {
      if (frame.t !== 'welcome') process.exit(USAGE);
      bridge = new Bridge(wire, frame.media, frame.window);
      beat(bridge, wire, frame.heartbeat_ms);
    } else if (bridge.hear(frame)) {
      // The answer is on its way; it has a moment to leave.
      setTimeout(() => process.exit(0), 100);
    }
  };
  const lines = new Lines();
  socket.on('data', chunk => {
    try {
      const whole = lines.take(chunk);
      if (whole === null) throw new RangeError('a line longer than allowed');
      whole.forEach(take);
    } catch (error) {
      // It cannot be read: nothing after it can be trusted either.
      note(`the supervisor sent what is no frame: ${kind(error)}`);
      process.exit(USAGE);
    }
  });
}

/** From the loop that does the work, so that a bridge that is stuck does not beat. */
function beat(bridge, wire, every) {
  let due = performance.now();
  const once = () => {
    const lag = Math.max(0, performance.now() - due);
    const rss_kib = Math.round(process.memoryUsage.rss() / 1_024);
    wire.say({ t: 'heartbeat', rss_kib, lag_ms: Math.round(lag), sessions: bridge.states() });
    due = performance.now() + every;
    setTimeout(once, every);
  };
  once();
}
