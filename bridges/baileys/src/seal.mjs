// What the supervisor's checksum covers. It hashes two files, the interpreter and the script; a Node program is a thousand. So
// the script is written for one installation and holds the digest of all of it: `sealed.mjs`, made by `npm run seal`.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What is loaded, and what says what was installed. */
const COVERED = ['bridge.mjs', 'package.json', 'package-lock.json', 'src', 'node_modules'];

const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');

/** Paths below a folder, each with the digest of its bytes; of a link, of where it leads. */
function* files(folder, path) {
  const entries = readdirSync(join(folder, path), { withFileTypes: true });
  for (const entry of entries) {
    const below = `${path}/${entry.name}`;
    if (entry.isDirectory()) yield* files(folder, below);
    else if (entry.isSymbolicLink()) yield [below, `-> ${readlinkSync(join(folder, below))}`];
    else yield [below, sha256(readFileSync(join(folder, below)))];
  }
}

/** The digest of an installation: of every path and its bytes, in the order of the paths. Another file more is another digest. */
export function digest(folder) {
  const all = [];
  for (const path of COVERED) {
    if (/\.m?js(on)?$/.test(path)) all.push([path, sha256(readFileSync(join(folder, path)))]);
    else all.push(...files(folder, path));
  }
  // Written by npm for itself, with what it found on that day.
  const kept = all.filter(([path]) => path !== 'node_modules/.package-lock.json');
  kept.sort(([one], [other]) => (one < other ? -1 : 1));
  return sha256(kept.map(([path, of]) => `${of}  ${path}\n`).join(''));
}

/** The script for an installation with this digest. Nothing of what it covers is loaded before it is checked. */
export const script = expected => `#!/usr/bin/env node
// Written by \`npm run seal\`: runs the bridge beside it if that is, byte by byte, what was sealed.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const EXPECTED = '${expected}';
const COVERED = ${JSON.stringify(COVERED)};
const sha256 = ${sha256};
${files}
${digest.toString()}
const folder = import.meta.dirname;
const found = digest(folder);
if (found !== EXPECTED) {
  process.stderr.write(\`the files beside \${import.meta.filename} are not the sealed ones: their digest is \${found}, expected \${EXPECTED}\\n\`);
  process.exit(64);
}
await import('./bridge.mjs');
`;
