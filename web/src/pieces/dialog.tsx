// The browser's own dialog: it keeps the focus inside, puts the rest out of reach and closes on Escape.

import { useEffect, useRef, type ReactNode } from 'react'
import css from './dialog.module.css'

export function Dialog({
  title,
  onClose,
  children,
  wide = false,
  bare = false,
}: {
  title: string
  onClose: () => void
  children: ReactNode
  wide?: boolean
  /** Without a heading that is seen. */
  bare?: boolean
}) {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = element.current
    if (dialog && !dialog.open) dialog.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={element}
      className={css.dialog}
      data-wide={wide || undefined}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      // The backdrop belongs to the dialog itself; what is inside does not.
      onPointerDown={(event) => event.target === element.current && onClose()}
    >
      <div className={css.inside}>
        {!bare && <h2 className={css.title}>{title}</h2>}
        {children}
      </div>
    </dialog>
  )
}
