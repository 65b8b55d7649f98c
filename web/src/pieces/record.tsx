// A record beside its list: the list stays, and stays usable. On a phone the record takes the screen.

import { IconX } from '@tabler/icons-react'
import { useEffect, useEffectEvent, useRef, type ReactNode } from 'react'
import { t } from '../words/speak'
import { Button } from './button'
import css from './record.module.css'

export function Record({
  title,
  lead,
  actions,
  onClose,
  children,
}: {
  title: string
  lead?: ReactNode
  actions?: ReactNode
  onClose: () => void
  children: ReactNode
}) {
  const panel = useRef<HTMLElement>(null)
  const close = useEffectEvent(onClose)
  useEffect(() => {
    const before = document.activeElement
    panel.current?.focus({ preventScroll: true })
    const key = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return
      event.preventDefault()
      close()
    }
    document.addEventListener('keydown', key)
    return () => {
      document.removeEventListener('keydown', key)
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
    }
  }, [])
  return (
    <aside ref={panel} className={css.record} aria-label={title} tabIndex={-1}>
      <header className={css.head}>
        <div className={css.title}>
          <h2>
            <bdi>{title}</bdi>
          </h2>
          {lead}
        </div>
        <Button icon={IconX} look="quiet" aria-label={t('do.close')} onClick={onClose} />
      </header>
      <div className={css.body} data-scrolls>
        {children}
      </div>
      {actions && <footer className={css.actions}>{actions}</footer>}
    </aside>
  )
}
