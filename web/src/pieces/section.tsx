import type { ReactNode } from 'react'
import css from './section.module.css'

/** What every screen begins with: its name, its state, what is known of it at a glance, what can be done. */
export function Heading({
  title,
  state,
  note,
  facts,
  children,
}: {
  title: string
  state?: ReactNode
  note?: string
  facts?: ReactNode
  children?: ReactNode
}) {
  return (
    <header className={css.heading}>
      <div className={css.title}>
        <h1>
          <bdi>{title}</bdi> {state}
        </h1>
        {note && <p className="dim">{note}</p>}
        {facts && <div className={css.glance}>{facts}</div>}
      </div>
      {children && <div className={css.actions}>{children}</div>}
    </header>
  )
}

/** A part of a screen on paper of its own. */
export function Section({
  title,
  note,
  actions,
  flush = false,
  children,
}: {
  title?: ReactNode
  note?: ReactNode
  actions?: ReactNode
  /** Without margin inside: for tables. */
  flush?: boolean
  children: ReactNode
}) {
  return (
    <section className={css.section} data-flush={flush || undefined}>
      {(title || actions) && (
        <header className={css.head}>
          <div>
            {title && <h2>{title}</h2>}
            {note && <p className="dim small">{note}</p>}
          </div>
          {actions}
        </header>
      )}
      <div className={css.body}>{children}</div>
    </section>
  )
}

/** Names and values, one a line. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className={css.facts}>{children}</dl>
}

export function Fact({ name, children }: { name: ReactNode; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** Parts side by side while there is room. */
export function Columns({ children, wide = false }: { children: ReactNode; wide?: boolean }) {
  return (
    <div className={css.columns} data-wide={wide || undefined}>
      {children}
    </div>
  )
}

/** Something that has to be read before going on. */
export function Notice({
  tone = 'amber',
  title,
  children,
}: {
  tone?: 'amber' | 'red' | 'blue' | 'grey'
  title?: ReactNode
  children?: ReactNode
}) {
  return (
    <div className={css.notice} data-tone={tone} role="note">
      {title && <strong>{title}</strong>}
      {children && <div>{children}</div>}
    </div>
  )
}
