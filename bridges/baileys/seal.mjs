// `npm run seal`: writes sealed.mjs for what is installed here, and prints what the server's settings have to name.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { digest, script } from './src/seal.mjs';

const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');
const folder = import.meta.dirname;
const text = script(digest(folder));
writeFileSync(`${folder}/sealed.mjs`, text, { mode: 0o755 });
process.stdout.write(`[bridges.baileys]
path = "${process.execPath}"
sha256 = "${sha256(readFileSync(process.execPath))}"
script = "${folder}/sealed.mjs"
script_sha256 = "${sha256(text)}"
`);
