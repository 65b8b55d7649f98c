import { describe, expect, test } from 'vitest'
import type { RateWindow } from '../../api/records'
import { aheadS, scale } from './window_scale'

const now = Date.parse('2026-11-30T12:00:00.000Z')
const before = (s: number) => new Date(now - s * 1_000).toISOString()

function window(ages: number[], cap = 4, next = before(0)): RateWindow {
  return {
    now: before(0),
    span_s: 60,
    cap,
    attempts: ages.map(before),
    next_slot_at: next,
    queue: { queued: 0, held: 0, sending: 0, head: null },
  }
}

describe('the rate window', () => {
  test('an attempt stands where it was, and as high as the number that counted with it', () => {
    const { ticks, nowX, used, room, capY } = scale(window([30, 15, 0], 4), now)
    expect(nowX).toBeCloseTo(60 / (60 + aheadS))
    expect(ticks.map(({ x }) => x)).toEqual([0.5, 0.75, 1].map((at) => expect.closeTo(at * nowX)))
    expect(ticks.map(({ y }) => y / capY)).toEqual([1, 2, 3].map((count) => expect.closeTo(count / 4)))
    expect([used, room]).toEqual([3, 1])
  })

  test('what has left the span counts no more, whatever order it is listed in', () => {
    expect(scale(window([0, 61, 60, 59.9, 10]), now).used).toBe(3)
    const shuffled = scale(window([10, 40, 20]), now).ticks
    expect(shuffled).toEqual(shuffled.toSorted((a, b) => a.x - b.x))
  })

  test('the cap is in the picture, also when nothing may be sent', () => {
    for (const cap of [0, 1, 30, 6_000]) {
      const { capY } = scale(window([], cap), now)
      expect(capY).toBeGreaterThanOrEqual(0)
      expect(capY).toBeLessThan(1)
    }
  })

  test('a full window touches its cap, and falls by one as its oldest attempt leaves', () => {
    const full = scale(window([55, 30, 20, 10], 4, new Date(now + 5_000).toISOString()), now)
    expect(full.ticks.at(-1)?.y).toBeCloseTo(full.capY)
    expect(full.room).toBe(0)
    expect(full.slotMs).toBe(5_000)
    expect(full.fall.map(({ x }) => x)).toEqual([expect.closeTo(full.nowX), expect.closeTo(full.slotX ?? 0)])
    expect((full.fall[1]?.y ?? 0) / full.capY).toBeCloseTo(3 / 4)
  })

  test('a slot that is open, or lies beyond the picture, has no marker', () => {
    expect(scale(window([5], 4, before(0)), now).slotX).toBeNull()
    const far = scale(window([5], 1, new Date(now + 55_000).toISOString()), now)
    expect(far.slotX).toBeNull()
    expect(far.slotMs).toBe(55_000)
  })
})
