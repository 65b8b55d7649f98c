import { Link, type LinkProps } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import css from './figure.module.css'
import { Sparkline } from './sparkline'

interface Props {
  label: string
  value: ReactNode
  note?: ReactNode
  history?: (number | null)[] | undefined
  tone?: 'amber' | 'red' | undefined
  /** The list of what was counted. */
  to: LinkProps
  tip?: string
}

/** A number with where it comes from: its sparkline, and a link to what it counts. */
export function Figure({ label, value, note, history, tone, to, tip }: Props) {
  return (
    <Link {...to} className={css.figure} data-tone={tone} data-tip={tip}>
      <span className={css.label}>{label}</span>
      <span className={css.value}>{value}</span>
      {note && <span className={css.note}>{note}</span>}
      {history && history.some((value) => value !== null) && (
        <span className={css.line}>
          <Sparkline values={history} width={58} height={22} />
        </span>
      )}
    </Link>
  )
}

/** Figures in one line while there is room. */
export function Figures({ children }: { children: ReactNode }) {
  return <div className={css.row}>{children}</div>
}
