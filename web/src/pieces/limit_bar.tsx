import type { ReactNode } from 'react'
import { number, percent } from '../words/amounts'
import { t } from '../words/speak'
import css from './limit_bar.module.css'

interface Props {
  label: string
  used: number
  held?: number
  /** `null`: there is none. */
  limit: number | null
  /** Less to read: for rows of tables. */
  small?: boolean
  note?: ReactNode
}

/** Used, held and left of a limit. Colour only past four fifths of it. */
export function LimitBar({ label, used, held = 0, limit, small = false, note }: Props) {
  const taken = used + held
  if (limit === null) {
    return (
      <div className={css.words}>
        <span>{label}</span>
        <span className="dim">{t('limit.none', { used: number(taken) })}</span>
      </div>
    )
  }
  const share = limit > 0 ? Math.min(1, taken / limit) : taken > 0 ? 1 : 0
  const tone = share >= 1 ? 'red' : share >= 0.8 ? 'amber' : undefined
  const of = t('limit.of', { used: number(taken), limit: number(limit) })
  return (
    <div className={css.bar} data-small={small || undefined} data-tip={small ? `${label}: ${of}` : undefined}>
      {!small && (
        <div className={css.words}>
          <span>{label}</span>
          <span className="dim">{of}</span>
        </div>
      )}
      <div
        className={css.track}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(limit, 1)}
        aria-valuenow={Math.min(taken, Math.max(limit, 1))}
        aria-valuetext={of}
      >
        <span className={css.used} data-tone={tone} style={{ width: `${limit > 0 ? Math.min(100, (used / limit) * 100) : 0}%` }} />
        <span className={css.held} style={{ width: `${limit > 0 ? Math.min(100 - (used / limit) * 100, (held / limit) * 100) : 0}%` }} />
      </div>
      {small ? (
        <span className={css.percent} data-tone={tone}>
          {percent(taken, limit)}
        </span>
      ) : (
        <div className={css.words}>
          <span className="small dim">
            {held > 0 ? t('limit.held', { held: number(held) }) : ''}
            {held > 0 && ' · '}
            {t('limit.left', { left: number(Math.max(0, limit - taken)) })}
          </span>
          {note && <span className="small dim">{note}</span>}
        </div>
      )}
    </div>
  )
}
