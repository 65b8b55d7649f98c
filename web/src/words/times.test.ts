import { afterEach, expect, test, vi } from 'vitest'
import en from './en.json'
import { use } from './speak'
import { firstDay, lastDay } from './times'

afterEach(() => vi.unstubAllEnvs())

test.each([
  ['UTC', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ['Berlin', '2026-11-30T23:00:00.000Z', '2026-12-31T23:00:00.000Z'],
  ['Auckland', '2026-11-30T11:00:00.000Z', '2026-12-31T11:00:00.000Z'],
  ['New York', '2026-12-01T05:00:00.000Z', '2027-01-01T05:00:00.000Z'],
  ['Honolulu', '2026-12-01T10:00:00.000Z', '2027-01-01T10:00:00.000Z'],
])('a month on the clocks of %s has its first day and its last, wherever it is read', (_, start, end) => {
  use('en', en)
  for (const reader of ['UTC', 'Asia/Kolkata', 'America/Los_Angeles', 'Pacific/Auckland']) {
    vi.stubEnv('TZ', reader)
    expect(`${firstDay(start)} – ${lastDay(end)}`, reader).toBe('Dec 1, 2026 – Dec 31, 2026')
  }
})

test('a date alone is that date', () => {
  use('en', en)
  vi.stubEnv('TZ', 'America/Los_Angeles')
  expect(firstDay('2026-12-01')).toBe('Dec 1, 2026')
})
