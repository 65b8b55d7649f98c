// Short news at the lower edge: what was done, and for a few seconds how to undo it.

import { useSyncExternalStore } from 'react'
import { t } from '../words/speak'
import css from './toast.module.css'

interface News {
  text: string
  tone?: 'red'
  undo?: () => void
}

const staysMs = 6_000
let shown: (News & { id: number })[] = []
let last = 0
const listeners = new Set<() => void>()

export function toast(news: News): void {
  const id = ++last
  set([...shown.slice(-2), { ...news, id }])
  setTimeout(() => set(shown.filter((other) => other.id !== id)), staysMs)
}

function set(next: typeof shown): void {
  shown = next
  for (const listener of listeners) listener()
}

export function ToastLayer() {
  const list = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => shown,
  )
  return (
    <div className={css.layer} role="status" aria-live="polite">
      {list.map((news) => (
        <div key={news.id} className={css.toast} data-tone={news.tone}>
          <span>{news.text}</span>
          {news.undo && (
            <button
              type="button"
              onClick={() => {
                news.undo?.()
                set(shown.filter((other) => other.id !== news.id))
              }}
            >
              {t('do.undo')}
            </button>
          )}
        </div>
      ))}
    </div>
  )
}
