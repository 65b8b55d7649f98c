// What follows the bundler: how much script a first load is, and the compressed twins the server hands out.

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url).pathname
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'))

/** Bytes of gzip. The overview's way in: entry, a language, the frame and the first screen, all of it static from there. */
const budget = 150 * 1000
const loads = {
  'admin UI up to the overview': ['index.html', 'src/words/en.json', 'src/screens/overview/overview.tsx'],
  'pairing page': ['pair.html'],
}

function closure(keys) {
  const seen = new Set()
  const visit = (key) => {
    if (seen.has(key) || !manifest[key]) return
    seen.add(key)
    manifest[key].imports?.forEach(visit)
  }
  keys.forEach(visit)
  return new Set([...seen].map((key) => manifest[key].file).filter((file) => file.endsWith('.js')))
}

for (const [name, keys] of Object.entries(loads)) {
  const missing = keys.filter((key) => !manifest[key])
  if (missing.length > 0) throw new Error(`the bundle has no ${missing.join(', ')}: has it been moved?`)
  const bytes = [...closure(keys)].reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file)), { level: 9 }).length, 0)
  console.log(`${name}: ${(bytes / 1000).toFixed(1)} kB of script, gzip`)
  if (bytes > budget) {
    console.error(`that is over ${budget / 1000} kB: load a part of it only when it is shown`)
    process.exit(1)
  }
}

// The manifest was for this file; what lies in the folder is served.
rmSync(join(dist, '.vite'), { recursive: true })

for (const entry of readdirSync(dist, { recursive: true })) {
  const file = join(dist, String(entry))
  if (!statSync(file).isFile() || !/\.(js|css|html|svg|json|webmanifest)$/.test(file)) continue
  const bytes = readFileSync(file)
  if (bytes.length < 512) continue
  const gz = gzipSync(bytes, { level: 9 })
  const br = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
  if (gz.length < bytes.length) writeFileSync(`${file}.gz`, gz)
  if (br.length < bytes.length) writeFileSync(`${file}.br`, br)
}
