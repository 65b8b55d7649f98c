import { useSyncExternalStore } from 'react'

function media(query: string): () => boolean {
  const list = window.matchMedia(query)
  const listen = (listener: () => void) => {
    list.addEventListener('change', listener)
    return () => list.removeEventListener('change', listener)
  }
  return () => useSyncExternalStore(listen, () => list.matches)
}

/** Whether the screen is a phone's. */
export const useNarrow = media('(max-width: 720px)')

/** Whether not every column has room. */
export const useTight = media('(max-width: 1200px)')
