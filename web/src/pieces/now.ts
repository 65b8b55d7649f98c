// One clock for everything on the page that tells the time: no timer per number.

import { useSyncExternalStore } from 'react'

class Beat {
  readonly #everyMs: number
  readonly #listeners = new Set<() => void>()
  #timer: ReturnType<typeof setInterval> | undefined
  #now = Date.now()

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  // The same function each time, or every drawing would subscribe anew.
  readonly listen = (listener: () => void): (() => void) => {
    if (this.#listeners.size === 0) {
      this.#now = Date.now()
      this.#timer = setInterval(() => {
        this.#now = Date.now()
        for (const told of this.#listeners) told()
      }, this.#everyMs)
    }
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) clearInterval(this.#timer)
    }
  }

  readonly now = (): number => this.#now
}

const beats = new Map<number, Beat>()

/** The present, renewed every so many milliseconds while somebody looks. */
export function useNow(everyMs = 1_000): number {
  let beat = beats.get(everyMs)
  if (!beat) {
    beat = new Beat(everyMs)
    beats.set(everyMs, beat)
  }
  return useSyncExternalStore(beat.listen, beat.now)
}
