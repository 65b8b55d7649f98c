import { encode } from 'uqr'
import { expect, test } from 'vitest'
import { qrPath } from './qr_path'

test('every dark module is in the path, and no light one', () => {
  const text = '2@abcdefghijklmnopqrstuvwxyz0123456789,key,key,secret=='
  const { size, path } = qrPath(text)
  const dark = new Set<string>()
  for (const [, x, y, run] of path.matchAll(/M(\d+) (\d+)h(\d+)/g)) {
    for (let step = 0; step < Number(run); step += 1) dark.add(`${Number(x) + step} ${y}`)
  }
  const { data } = encode(text, { border: 4, ecc: 'L' })
  expect(size).toBe(data.length)
  data.forEach((row, y) => row.forEach((module, x) => expect(dark.has(`${x} ${y}`)).toBe(module)))
})
