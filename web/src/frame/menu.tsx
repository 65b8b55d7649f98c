// A menu of the header: the browser's popover, which closes by itself.

import { useId, useRef, type ReactNode } from 'react'
import css from './frame.module.css'

export function Menu({ label, button, children }: { label: string; button: ReactNode; children: ReactNode }) {
  const id = useId()
  const panel = useRef<HTMLDivElement>(null)
  const items = () => [...(panel.current?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? [])]
  return (
    <div className={css.menu}>
      <button type="button" className={css.menuButton} popoverTarget={id} aria-label={label} aria-haspopup="menu">
        {button}
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        role="menu"
        aria-label={label}
        className={css.panel}
        onToggle={(event) => event.newState === 'open' && items()[0]?.focus()}
        onClick={(event) => {
          if (event.target instanceof Element && event.target.closest('[role^="menuitem"]')) panel.current?.hidePopover()
        }}
        onKeyDown={(event) => {
          const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
          if (step === 0) return
          event.preventDefault()
          const all = items()
          const at = all.findIndex((item) => item === document.activeElement)
          all[(at + step + all.length) % all.length]?.focus()
        }}
      >
        {children}
      </div>
    </div>
  )
}
