// When something was or will be: relative for reading, absolute for certainty.

import { duration } from './amounts'
import { intl, t } from './speak'

const steps: [number, Intl.RelativeTimeFormatUnit][] = [
  [60_000, 'second'],
  [3_600_000, 'minute'],
  [86_400_000, 'hour'],
  [30 * 86_400_000, 'day'],
  [365 * 86_400_000, 'month'],
  [Infinity, 'year'],
]
const size = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000, month: 30 * 86_400_000, year: 365 * 86_400_000 }

/** `3 min ago`, `in 2 hr`. */
export function relative(at: number, now: number): string {
  const off = at - now
  if (Math.abs(off) < 1_500) return t('time.now')
  const unit = (steps.find(([below]) => Math.abs(off) < below)?.[1] ?? 'year') as keyof typeof size
  return new Intl.RelativeTimeFormat(intl(), { style: 'short', numeric: 'always' }).format(Math.trunc(off / size[unit]), unit)
}

/** What is left until then; nothing once it has passed. */
export function left(at: number, now: number): string {
  return duration(Math.max(0, at - now))
}

/** To the second, and in both zones where here is another one. */
export function absolute(at: number): string {
  const here = new Intl.DateTimeFormat(intl(), { dateStyle: 'medium', timeStyle: 'long', hourCycle: 'h23' }).format(at)
  if (new Date(at).getTimezoneOffset() === 0) return here
  return `${here} · ${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** The time of day, with the day when it is another one. */
export function clock(at: number, now: number): string {
  const same = new Date(at).toDateString() === new Date(now).toDateString()
  return new Intl.DateTimeFormat(intl(), {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    ...(!same && { day: 'numeric', month: 'short' }),
  }).format(at)
}

/** To the millisecond, for lists of what happened. */
export function precise(at: number): string {
  return new Intl.DateTimeFormat(intl(), {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23',
  }).format(at)
}

export function day(at: string | number, timeZone?: string): string {
  return new Intl.DateTimeFormat(intl(), { dateStyle: 'medium', timeZone }).format(new Date(at))
}

/** The date a period begins with. */
export function firstDay(start: string): string {
  return day(midnight(start), 'UTC')
}

/** The date a period ends with: its end is the first instant of the next. */
export function lastDay(end: string): string {
  return day(midnight(end) - size.day, 'UTC')
}

/**
 * Periods begin at midnight on the clocks of billing, which may be far from the reader's: the same midnight in UTC. What is one after
 * 10:00 UTC is one east of Greenwich, where the next date has begun.
 */
function midnight(at: string): number {
  const past = Date.parse(at) % size.day
  return Date.parse(at) - past + (past > 10 * size.hour ? size.day : 0)
}
