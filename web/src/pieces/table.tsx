// Rows, however many: only those near the window are in the document. On a narrow screen each becomes a card of two lines.

import { IconChevronDown, IconChevronUp } from '@tabler/icons-react'
import { Link, type LinkProps } from '@tanstack/react-router'
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useEffectEvent, useLayoutEffect, useRef, useState, type ReactNode } from 'react'
import { number } from '../words/amounts'
import { t } from '../words/speak'
import { Bone } from './skeleton'
import css from './table.module.css'
import { useNarrow, useTight } from './narrow'

export interface Column<R> {
  key: string
  head: string
  /** A track of the grid. */
  width: string
  cell: (row: R) => ReactNode
  /** Numbers stand at the end. */
  end?: boolean
  /** What the server sorts by. */
  sort?: string
  /** Names that people gave: each in its own direction. */
  text?: boolean
  /** Left out where there is not much room, though more than on a phone. */
  spare?: boolean
  /** On a narrow screen: the first line's end, the second line, or nowhere. The first column is the first line. */
  narrow?: 'aside' | 'below' | 'hide'
}

interface Props<R> {
  label: string
  columns: Column<R>[]
  rows: R[] | undefined
  keyOf: (row: R) => string
  /** Where a row leads; the first cell is the link. */
  to: (row: R) => LinkProps
  /** The row whose record is open. */
  open?: string | undefined
  sort?: { by: string | undefined; order: 'asc' | 'desc'; change: (by: string, order: 'asc' | 'desc') => void }
  chosen?: { keys: Set<string>; change: (keys: Set<string>) => void }
  more?: (() => void) | undefined
  /** When there are no rows. */
  empty: ReactNode
}

/** Where a row leads that opens its record beside the list. What else stands in the address stays. */
export function beside(open: string): LinkProps {
  return { to: '.', search: ((before: object) => ({ ...before, open })) as never, replace: true, resetScroll: false }
}

const rowHeight = 40
const cardHeight = 64

export function Table<R>({ label, columns: given, rows, keyOf, to, open, sort, chosen, more, empty }: Props<R>) {
  const body = useRef<HTMLDivElement>(null)
  const narrow = useNarrow()
  const tight = useTight()
  const columns = tight ? given.filter((column) => !column.spare) : given
  const [margin, setMargin] = useState(0)
  const [focused, setFocused] = useState(-1)
  const height = narrow ? cardHeight : rowHeight
  const count = rows?.length ?? 0
  // Cells are functions of their row, so the compiler has nothing to remember here that the virtualizer does not.
  const virtual = useWindowVirtualizer({ count, estimateSize: () => height, overscan: 12, scrollMargin: margin })
  useLayoutEffect(() => {
    const top = body.current ? body.current.getBoundingClientRect().top + window.scrollY : 0
    if (Math.abs(top - margin) > 1) setMargin(top)
  })
  useLayoutEffect(() => virtual.measure(), [virtual, height])

  const items = virtual.getVirtualItems()
  const last = items.at(-1)?.index ?? -1
  const wantMore = more !== undefined && count > 0 && last >= count - 20
  const loadMore = useEffectEvent(() => more?.())
  useEffect(() => {
    if (wantMore) loadMore()
  }, [wantMore, count])

  const go = useEffectEvent((step: number) => {
    if (count === 0) return
    const at = Math.min(count - 1, Math.max(0, focused + step))
    setFocused(at)
    virtual.scrollToIndex(at)
    requestAnimationFrame(() => body.current?.querySelector<HTMLElement>(`[data-row="${at}"] a`)?.focus())
  })
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.closest('input, textarea, select, dialog')
      if (typing || event.metaKey || event.ctrlKey || event.altKey) return
      if (event.key === 'j') go(1)
      if (event.key === 'k') go(-1)
    }
    document.addEventListener('keydown', key)
    return () => document.removeEventListener('keydown', key)
  }, [])

  if (rows && rows.length === 0) return <div className={css.frame}>{empty}</div>
  const tracks = (chosen ? '34px ' : '') + columns.map((column) => column.width).join(' ')
  const grid = narrow ? undefined : { gridTemplateColumns: tracks }
  const shown = narrow ? columns.filter((column, at) => at === 0 || column.narrow !== 'hide') : columns
  return (
    <div className={css.frame} data-narrow={narrow || undefined}>
      <div role="table" aria-label={label} aria-rowcount={more ? -1 : count + 1}>
        <div role="rowgroup" className={css.heads}>
          <div role="row" aria-rowindex={1} className={css.row} style={grid}>
            {chosen && (
              <span role="columnheader" className={css.check}>
                <input
                  type="checkbox"
                  aria-label={t('list.all')}
                  checked={count > 0 && chosen.keys.size === count}
                  ref={(box) => {
                    if (box) box.indeterminate = chosen.keys.size > 0 && chosen.keys.size < count
                  }}
                  onChange={(event) => chosen.change(new Set(event.currentTarget.checked ? rows?.map(keyOf) : []))}
                />
              </span>
            )}
            {columns.map((column) => (
              <Head key={column.key} column={column} sort={sort} />
            ))}
          </div>
        </div>
        <div ref={body} role="rowgroup" className={css.body} style={{ height: rows ? virtual.getTotalSize() : undefined }}>
          {!rows &&
            Array.from({ length: 8 }, (_, at) => (
              <div key={at} role="row" aria-busy="true" className={css.row} style={{ ...grid, height, position: 'relative' }}>
                {chosen && <span role="cell" />}
                {shown.map((column, place) => (
                  <span role="cell" key={column.key} data-narrow={place === 0 ? 'first' : (column.narrow ?? 'below')}>
                    <Bone width={`${40 + ((at * 29 + place * 17) % 45)}%`} height={10} />
                  </span>
                ))}
              </div>
            ))}
          {rows &&
            items.map((item) => {
              const row = rows[item.index]
              if (row === undefined) return null
              const key = keyOf(row)
              return (
                <div
                  key={key}
                  role="row"
                  aria-rowindex={item.index + 2}
                  data-row={item.index}
                  data-open={key === open || undefined}
                  data-chosen={chosen?.keys.has(key) || undefined}
                  className={css.row}
                  style={{ ...grid, height, transform: `translateY(${item.start - margin}px)` }}
                  onFocus={() => setFocused(item.index)}
                >
                  {chosen && (
                    <span role="cell" className={css.check}>
                      <input
                        type="checkbox"
                        aria-label={t('list.choose')}
                        checked={chosen.keys.has(key)}
                        onChange={() => {
                          const next = new Set(chosen.keys)
                          if (!next.delete(key)) next.add(key)
                          chosen.change(next)
                        }}
                      />
                    </span>
                  )}
                  {shown.map((column, place) => (
                    <span
                      role="cell"
                      key={column.key}
                      dir={column.text ? 'auto' : undefined}
                      data-end={column.end || undefined}
                      data-narrow={place === 0 ? 'first' : (column.narrow ?? 'below')}
                    >
                      {place === 0 ? (
                        <Link {...to(row)} className={css.link}>
                          {column.cell(row)}
                        </Link>
                      ) : (
                        column.cell(row)
                      )}
                    </span>
                  ))}
                </div>
              )
            })}
        </div>
      </div>
      {rows && (
        <div className={css.foot} role="status">
          {more ? t('list.more', { count }) : t('list.end', { count, number: number(count) })}
        </div>
      )}
    </div>
  )
}

function Head<R>({ column, sort }: { column: Column<R>; sort: Props<R>['sort'] }) {
  const by = column.sort
  if (!sort || by === undefined) {
    return (
      <span role="columnheader" data-end={column.end || undefined}>
        {column.head}
      </span>
    )
  }
  const sorted = sort.by === by
  return (
    <span
      role="columnheader"
      data-end={column.end || undefined}
      aria-sort={sorted ? (sort.order === 'asc' ? 'ascending' : 'descending') : 'none'}
    >
      <button type="button" onClick={() => sort.change(by, sorted && sort.order === 'desc' ? 'asc' : 'desc')}>
        {column.head}
        {sorted && (sort.order === 'asc' ? <IconChevronUp size={13} aria-hidden /> : <IconChevronDown size={13} aria-hidden />)}
      </button>
    </span>
  )
}
