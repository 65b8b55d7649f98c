// The real program on a folder of its own, as a newcomer starts it.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `{ base, setup }`: where it listens, and the path of the one-time link it printed. `stop` ends it and removes the folder. */
export async function start(settings = {}) {
  const binary = process.env.COLUMBA_SERVER
  if (!binary) throw new Error('COLUMBA_SERVER names no binary')
  const data = mkdtempSync(join(tmpdir(), 'columba-ui-'))
  const child = spawn(binary, ['serve', '--data', data, '--listen', '127.0.0.1:0'], {
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  let said = ''
  const told = (pattern) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(said)
        if (found) resolve(found[1])
      }
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${said.slice(-2000)}`)))
      look()
    })
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
  const base = await told(/listens on (http:\/\/\S+)/)
  const setup = await told(/(\/ui\/setup#\S+)/)
  return {
    base,
    setup,
    said: () => said,
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(data, { recursive: true, force: true })
    },
  }
}
