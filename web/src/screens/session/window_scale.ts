// The rate window as it is, put to scale: where each attempt stands, how many count at each moment, where the cap lies and when the
// next slot opens. Pure, so that the picture can be checked against the numbers.

import type { RateWindow } from '../../api/records'

export interface Scale {
  /** One for each attempt that counts: when it was and how many counted with it. Both from 0 to 1. */
  ticks: { x: number; y: number }[]
  /** Where `now` is. To its left lies what counts, to its right what comes. */
  nowX: number
  /** The height of the cap; always below the top, so that the line can be seen. */
  capY: number
  used: number
  room: number
  /** Where the next slot opens; null when one is open now, or when it lies beyond the picture. */
  slotX: number | null
  /** Milliseconds until then. */
  slotMs: number | null
  /** How many still count as time goes on and nothing is sent: steps from `now` to the right edge. */
  fall: { x: number; y: number }[]
}

/** Seconds of the future that are shown. */
export const aheadS = 12
const headroom = 1.12

export function scale(window: RateWindow, now: number): Scale {
  const span = window.span_s * 1_000
  const ahead = aheadS * 1_000
  const whole = span + ahead
  const start = now - span
  const top = Math.max(window.cap, 1) * headroom
  const x = (at: number) => (at - start) / whole
  const counted = window.attempts
    .map((at) => Date.parse(at))
    .filter((at) => at > start && at <= now)
    .toSorted((a, b) => a - b)
  const used = counted.length
  const ticks = counted.map((at, place) => ({ x: x(at), y: (place + 1) / top }))
  const nowX = span / whole
  const fall = [{ x: nowX, y: used / top }]
  counted.forEach((at, place) => {
    const leaves = at + span
    if (leaves <= now + ahead) fall.push({ x: x(leaves), y: (used - place - 1) / top })
  })
  const slot = Date.parse(window.next_slot_at)
  const slotMs = slot <= now ? null : slot - now
  return {
    ticks,
    nowX,
    capY: window.cap / top,
    used,
    room: Math.max(0, window.cap - used),
    slotX: slotMs === null || slotMs > ahead ? null : x(now + slotMs),
    slotMs,
    fall,
  }
}
