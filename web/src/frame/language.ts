// A change of language draws everything anew.

import { useSyncExternalStore } from 'react'
import { spoken, type Language } from '../words/speak'

export function useLanguage(): Language {
  return useSyncExternalStore((listener) => {
    const watcher = new MutationObserver(listener)
    watcher.observe(document.documentElement, { attributeFilter: ['lang'] })
    return () => watcher.disconnect()
  }, spoken)
}
