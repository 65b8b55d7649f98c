import type { ReactNode } from 'react'
import css from './plain_table.module.css'

/** A small table that is shown whole; on a phone it scrolls sideways, by keys too. */
export function PlainTable({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className={css.scroll} tabIndex={0} role="region" aria-label={label}>
      <table className={css.table}>{children}</table>
    </div>
  )
}
