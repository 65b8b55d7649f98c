// Numbers, money, times and sizes as people of the chosen language write them.

import { intl } from './speak'

const cache = new Map<string, Intl.NumberFormat>()

function format(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = intl() + JSON.stringify(options)
  let found = cache.get(key)
  if (!found) {
    found = new Intl.NumberFormat(intl(), options)
    cache.set(key, found)
  }
  return found
}

/** What the server does not know is a dash, never a nought. */
export const unknown = '–'

export function number(value: number | null | undefined): string {
  return value == null ? unknown : format({ maximumFractionDigits: 1 }).format(value)
}

/** Large numbers in few characters: 12.4K. */
export function brief(value: number | null | undefined): string {
  if (value == null) return unknown
  return value < 10_000 ? number(value) : format({ notation: 'compact', maximumFractionDigits: 1 }).format(value)
}

export function percent(part: number, whole: number): string {
  return format({ style: 'percent', maximumFractionDigits: whole > 0 && part / whole < 0.1 ? 1 : 0 }).format(whole > 0 ? part / whole : 0)
}

/** A rate of tax, from hundredths of a per cent. */
export function rate(bps: number): string {
  return format({ style: 'percent', maximumFractionDigits: 2 }).format(bps / 10_000)
}

/** How many digits of a currency its minor unit is. */
export function digitsOf(currency: string): number {
  try {
    return format({ style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  } catch {
    return 2
  }
}

/** Minor units of a currency, which may have none, two or three digits of them. */
export function money(minor: number, currency: string): string {
  try {
    return format({ style: 'currency', currency }).format(minor / 10 ** digitsOf(currency))
  } catch {
    return `${minor} ${currency}`
  }
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return unknown
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const
  let at = 0
  let left = value
  while (left >= 1000 && at < units.length - 1) {
    left /= 1000
    at += 1
  }
  return format({ style: 'unit', unit: units[at], unitDisplay: 'short', maximumFractionDigits: left < 10 ? 1 : 0 }).format(left)
}

/** Bytes as limits are set: a power of two, whole where it is one. */
export function mebibytes(value: number): string {
  return `${format({ maximumFractionDigits: 6 }).format(value / 2 ** 20)} MiB`
}

type Unit = 'millisecond' | 'second' | 'minute' | 'hour' | 'day'

function unit(value: number, name: Unit, digits = 0): string {
  return format({ style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: digits }).format(value)
}

/** How long something took: two units at most. */
export function duration(ms: number | null | undefined): string {
  if (ms == null) return unknown
  if (ms < 1_000) return unit(Math.round(ms), 'millisecond')
  const s = ms / 1_000
  if (s < 10) return unit(s, 'second', 1)
  if (s < 60) return unit(Math.floor(s), 'second')
  const parts: [number, Unit][] = [
    [Math.floor(s / 86_400), 'day'],
    [Math.floor(s / 3_600) % 24, 'hour'],
    [Math.floor(s / 60) % 60, 'minute'],
    [Math.floor(s) % 60, 'second'],
  ]
  const first = parts.findIndex(([value]) => value > 0)
  return parts
    .slice(first, first + 2)
    .filter(([value], at) => at === 0 || value > 0)
    .map(([value, name]) => unit(value, name))
    .join(' ')
}
