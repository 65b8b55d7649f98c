import { encode } from 'uqr'

/** The dark modules of a QR code as one SVG path, four modules of quiet zone around. */
export function qrPath(text: string): { size: number; path: string } {
  const { data, size } = encode(text, { border: 4, ecc: 'L' })
  let path = ''
  data.forEach((row, y) => {
    let x = 0
    while (x < row.length) {
      let run = 0
      while (row[x + run]) run += 1
      if (run > 0) path += `M${x} ${y}h${run}v1h-${run}z`
      x += Math.max(run, 1)
    }
  })
  return { size, path }
}
