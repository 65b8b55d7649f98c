// A menu beneath its button: the browser's popover, which closes by itself.

import { useId, useRef, type ReactNode } from 'react'
import css from './menu.module.css'
import square from './square.module.css'

const gap = 6
const edge = 8

export function Menu({
  label,
  button,
  children,
  look = 'icon',
}: {
  label: string
  button: ReactNode
  children: ReactNode
  /** `words` is a button that says what it opens; else its label is for who cannot see the icon. */
  look?: 'icon' | 'words'
}) {
  const id = useId()
  const opener = useRef<HTMLButtonElement>(null)
  const panel = useRef<HTMLDivElement>(null)
  const items = () => [...(panel.current?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? [])]
  // At the end of its button, and within the window.
  const place = () => {
    const box = opener.current?.getBoundingClientRect()
    const style = panel.current?.style
    if (!box || !style || !panel.current) return
    const width = panel.current.offsetWidth
    const wanted = document.documentElement.dir === 'rtl' ? box.left : box.right - width
    style.left = `${Math.max(edge, Math.min(wanted, window.innerWidth - width - edge))}px`
    style.top = `${box.bottom + gap}px`
    style.maxHeight = `${Math.max(160, window.innerHeight - box.bottom - gap - edge)}px`
  }
  return (
    <div className={css.menu}>
      <button
        ref={opener}
        type="button"
        className={`${square.button} ${css.opener}`}
        data-look={look}
        popoverTarget={id}
        aria-label={look === 'icon' ? label : undefined}
        aria-haspopup="menu"
      >
        {button}
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        role="menu"
        aria-label={label}
        className={css.panel}
        onToggle={(event) => {
          if (event.newState !== 'open') return
          place()
          items()[0]?.focus()
        }}
        onClick={(event) => {
          // What is ticked one by one stays open.
          if (event.target instanceof Element && event.target.closest('[role="menuitem"]:not([aria-disabled]), [role="menuitemradio"]'))
            panel.current?.hidePopover()
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
