// Where one is: what the header's path and the window's title say. The screen that is shown sets it.

import type { LinkProps } from '@tanstack/react-router'
import { useEffect, useSyncExternalStore } from 'react'

export interface Crumb {
  label: string
  to?: LinkProps
}

let trail: Crumb[] = []
const listeners = new Set<() => void>()

/** Sets the path to what is shown; its last part is the title. */
export function usePlace(...crumbs: Crumb[]): void {
  const words = crumbs.map((crumb) => crumb.label).join(' / ')
  useEffect(() => {
    trail = crumbs
    document.title = `${crumbs.at(-1)?.label ?? ''} · Columba`
    for (const listener of listeners) listener()
    // The words are all that differs between two paths.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [words])
}

export function useTrail(): Crumb[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => trail,
  )
}
