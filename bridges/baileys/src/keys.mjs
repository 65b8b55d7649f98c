// Keys made ahead. A device's first login makes 812 of them in one go, during which the loop serves nobody, and the library
// takes a late look at the clock for a dead link. So they are made on node's thread pool first, and the library finds them.
import { AsyncLocalStorage } from 'node:async_hooks';
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { Curve, INITIAL_PREKEY_COUNT } from 'baileys';

/** Made at a time: what the pool is given before others have their turn. */
const AT_ONCE = 32;
/** Bytes of a key, which are the last ones of its encoding. */
const KEY = 32;
/** The stock of the session whose code runs. @type {AsyncLocalStorage<{private: Buffer, public: Buffer}[]>} */
const stocks = new AsyncLocalStorage();
const make = promisify(generateKeyPair);
const encoding = { publicKeyEncoding: { format: 'der', type: 'spki' }, privateKeyEncoding: { format: 'der', type: 'pkcs8' } };

async function one() {
  const { publicKey, privateKey } = await make('x25519', encoding);
  return { private: Buffer.from(privateKey.subarray(-KEY)), public: Buffer.from(publicKey.subarray(-KEY)) };
}

/** Keys for a device's first login. */
export async function stock(count = INITIAL_PREKEY_COUNT) {
  const keys = [];
  while (keys.length < count) {
    const more = Math.min(AT_ONCE, count - keys.length);
    keys.push(...(await Promise.all(Array.from({ length: more }, one))));
  }
  return keys;
}

/** Runs `work`; whatever it starts takes its keys from there, each once, and makes its own when there are none. */
export const taking = (keys, work) => stocks.run(keys, work);

/** Once for the process. The library exports the object; none of its files is changed. */
export function establish() {
  const library = Curve.generateKeyPair;
  Curve.generateKeyPair = () => stocks.getStore()?.pop() ?? library();
}
