// One clock for everything on the page that tells the time: no timer per number.

import { useSyncExternalStore } from 'react'

const beats = new Map<number, { listeners: Set<() => void>; timer: ReturnType<typeof setInterval> | undefined; now: number }>()

/** The present, renewed every so many milliseconds while somebody looks. */
export function useNow(everyMs = 1_000): number {
  const beat = beats.get(everyMs) ?? { listeners: new Set(), timer: undefined, now: Date.now() }
  beats.set(everyMs, beat)
  return useSyncExternalStore(
    (listener) => {
      beat.listeners.add(listener)
      beat.now = Date.now()
      beat.timer ??= setInterval(() => {
        beat.now = Date.now()
        for (const told of beat.listeners) told()
      }, everyMs)
      return () => {
        beat.listeners.delete(listener)
        if (beat.listeners.size > 0) return
        clearInterval(beat.timer)
        beat.timer = undefined
      }
    },
    () => beat.now,
  )
}
