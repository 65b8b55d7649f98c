// Events come in bursts; what they ask for is done once per beat, for all of them.

import { useEffect, useRef, useState } from 'react'

/** Calls `act` with all that was added since the last time, at most once per `everyMs`; the first time at once. */
export class Gathered {
  readonly #act: (keys: Set<string>) => void
  readonly #everyMs: number
  #keys = new Set<string>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #resting = false

  constructor(everyMs: number, act: (keys: Set<string>) => void) {
    this.#everyMs = everyMs
    this.#act = act
  }

  add(key: string): void {
    this.#keys.add(key)
    if (!this.#resting) this.#flush()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#keys.clear()
    this.#resting = false
  }

  #flush(): void {
    if (this.#keys.size === 0) {
      this.#resting = false
      return
    }
    const keys = this.#keys
    this.#keys = new Set()
    this.#resting = true
    this.#timer = setTimeout(() => this.#flush(), this.#everyMs)
    this.#act(keys)
  }
}

export function useGathered(everyMs: number, act: (keys: Set<string>) => void): Gathered {
  const latest = useRef(act)
  useEffect(() => {
    latest.current = act
  })
  const [gathered] = useState(() => new Gathered(everyMs, (keys) => latest.current(keys)))
  useEffect(() => () => gathered.stop(), [gathered])
  return gathered
}
