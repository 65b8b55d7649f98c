// Dark or light: what was chosen in this browser, else what the system says.

import { useSyncExternalStore } from 'react'

export type Scheme = 'light' | 'dark' | 'auto'

const kept = 'columba.scheme'
const system = window.matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

export function chosen(): Scheme {
  const value = localStorage.getItem(kept)
  return value === 'light' || value === 'dark' ? value : 'auto'
}

/** What is shown now. */
export function shown(): 'light' | 'dark' {
  const scheme = chosen()
  if (scheme !== 'auto') return scheme
  return system.matches ? 'dark' : 'light'
}

export function choose(scheme: Scheme): void {
  if (scheme === 'auto') localStorage.removeItem(kept)
  else localStorage.setItem(kept, scheme)
  tell()
}

export function useScheme(): { scheme: Scheme; shown: 'light' | 'dark' } {
  const now = useSyncExternalStore(listen, shown)
  return { scheme: chosen(), shown: now }
}

function listen(listener: () => void): () => void {
  listeners.add(listener)
  system.addEventListener('change', tell)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) system.removeEventListener('change', tell)
  }
}

function tell(): void {
  document.documentElement.setAttribute('data-mantine-color-scheme', shown())
  for (const listener of listeners) listener()
}
