// Which library this is, and whose state it can read.
import { readFileSync } from 'node:fs';

/** Version of the form of records. Raised when an older bridge could not read what this one writes. */
export const VAULT_FORMAT = 1;

const read = url => JSON.parse(readFileSync(url, 'utf8')).version;
/** The library's, as it is installed. */
export const LIBRARY = read(new URL('../node_modules/baileys/package.json', import.meta.url));
/** The bridge's own. */
export const BUILD = read(new URL('../package.json', import.meta.url));

/** `7.0.0-rc14` by its parts; a release comes after its candidates. */
function parts(version) {
  const [release, candidate] = version.split('-');
  const numbers = release.split('.').map(part => Number.parseInt(part, 10) || 0);
  return [...numbers, candidate === undefined ? Infinity : Number(/\d+/.exec(candidate)?.[0] ?? 0)];
}

function isNewer(one, other) {
  const [left, right] = [parts(one), parts(other)];
  const at = left.findIndex((part, index) => part !== right[index]);
  return at >= 0 && left[at] > (right[at] ?? 0);
}

/** Whether what this one wrote can be used here. @param {{engine: string, version: string, format: number} | null} [writer] */
export function isReadable(writer, clean) {
  if (!writer) return true;
  if (writer.engine !== 'baileys' || writer.format > VAULT_FORMAT) return false;
  return clean || !isNewer(writer.version, LIBRARY);
}
