// What this browser keeps for whoever sits at it: read once, told to all who show it, also in other windows.

import { useSyncExternalStore } from 'react'

export class Kept<T> {
  readonly #key: string
  readonly #read: (given: unknown) => T
  readonly #listeners = new Set<() => void>()
  #text: string | null = null
  #value: T

  /** `read` takes whatever lies there, null too, and makes something of it that can be used. */
  constructor(key: string, read: (given: unknown) => T) {
    this.#key = key
    this.#read = read
    this.#value = read(null)
  }

  // The same value as long as nothing changed, or every drawing would ask for another.
  readonly get = (): T => {
    const text = localStorage.getItem(this.#key)
    if (text !== this.#text) {
      this.#text = text
      this.#value = this.#read(parsed(text))
    }
    return this.#value
  }

  set(value: T): void {
    localStorage.setItem(this.#key, JSON.stringify(value))
    for (const listener of this.#listeners) listener()
  }

  readonly listen = (listener: () => void): (() => void) => {
    const elsewhere = (event: StorageEvent) => event.key === this.#key && listener()
    this.#listeners.add(listener)
    window.addEventListener('storage', elsewhere)
    return () => {
      this.#listeners.delete(listener)
      window.removeEventListener('storage', elsewhere)
    }
  }
}

export function useKept<T>(kept: Kept<T>): T {
  return useSyncExternalStore(kept.listen, kept.get)
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}
