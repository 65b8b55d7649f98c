// Tabs whose choice is in the address.

import { useNavigate, useSearch } from '@tanstack/react-router'
import { useLayoutEffect, useRef } from 'react'
import css from './tabs.module.css'

export interface Tab {
  key: string
  label: string
  count?: number | undefined
}

/** `chosen` is the tab shown; the arrow keys move between them, as in any tab list. */
export function Tabs({ label, tabs, chosen, onChoose }: { label: string; tabs: Tab[]; chosen: string; onChoose: (key: string) => void }) {
  const list = useRef<HTMLDivElement>(null)
  // On a phone there is room for half of them: the one that is shown is to be seen.
  useLayoutEffect(() => {
    list.current?.querySelector(`[data-tab="${chosen}"]`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [chosen])
  return (
    <div
      ref={list}
      role="tablist"
      aria-label={label}
      className={css.tabs}
      onKeyDown={(event) => {
        const ahead = event.key === (document.documentElement.dir === 'rtl' ? 'ArrowLeft' : 'ArrowRight')
        const back = event.key === (document.documentElement.dir === 'rtl' ? 'ArrowRight' : 'ArrowLeft')
        if (!ahead && !back) return
        event.preventDefault()
        const at = tabs.findIndex((tab) => tab.key === chosen)
        const next = tabs[(at + (ahead ? 1 : -1) + tabs.length) % tabs.length]
        if (!next) return
        onChoose(next.key)
        list.current?.querySelector<HTMLElement>(`[data-tab="${next.key}"]`)?.focus()
      }}
    >
      {tabs.map((tab) => (
        <button
          key={tab.key}
          type="button"
          role="tab"
          data-tab={tab.key}
          aria-selected={tab.key === chosen}
          tabIndex={tab.key === chosen ? 0 : -1}
          onClick={() => onChoose(tab.key)}
        >
          {tab.label}
          {tab.count !== undefined && <span className={css.count}>{tab.count}</span>}
        </button>
      ))}
    </div>
  )
}

/** The tab that the address names (`?tab=`), if there is such a one; else the first. */
export function useTab(tabs: Tab[]): [string, (key: string) => void] {
  const { tab } = useSearch({ strict: false }) as { tab?: string }
  const navigate = useNavigate()
  const chosen = tabs.find(({ key }) => key === tab)?.key ?? tabs[0]?.key ?? ''
  return [
    chosen,
    (key) => void navigate({ to: '.', search: ((before: object) => ({ ...before, tab: key, open: undefined })) as never, replace: true }),
  ]
}
