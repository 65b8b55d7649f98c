import { Link } from '@tanstack/react-router'
import { useEffect, useEffectEvent } from 'react'
import { t } from '../words/speak'
import css from './frame.module.css'
import { groups } from './screens'

/** The screens, in their groups. On a phone it comes over the page. */
export function Rail({ narrow, drawn, onClose }: { narrow: boolean; drawn: boolean; onClose: () => void }) {
  const close = useEffectEvent(onClose)
  useEffect(() => {
    if (!drawn) return
    const key = (event: KeyboardEvent) => event.key === 'Escape' && close()
    document.addEventListener('keydown', key)
    return () => document.removeEventListener('keydown', key)
  }, [drawn])
  return (
    <>
      {drawn && <div className={css.veil} onClick={onClose} />}
      <nav className={css.rail} data-drawn={drawn || undefined} aria-label={t('rail.label')} data-scrolls>
        <Link to="/" className={css.brand} aria-label="Columba" onClick={onClose}>
          <img src="/ui/mark.svg" alt="" width={24} height={24} />
          <span>Columba</span>
        </Link>
        {groups.map((group) => (
          <div key={group.label} className={css.railGroup} role="group" aria-label={t(group.label)}>
            <span className={css.railLabel} aria-hidden>
              {t(group.label)}
            </span>
            {group.screens.map(({ to, label, icon: Mark, key }) => (
              <Link
                key={to}
                to={to}
                className={css.railItem}
                activeOptions={{ exact: to === '/' }}
                aria-label={t(label)}
                data-tip={narrow ? `${t(label)}  g ${key}` : undefined}
                onClick={onClose}
              >
                <Mark size={17} stroke={1.6} aria-hidden />
                <span>{t(label)}</span>
              </Link>
            ))}
          </div>
        ))}
      </nav>
    </>
  )
}
