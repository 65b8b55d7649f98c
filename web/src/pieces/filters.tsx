// The filters of a list. They live in the address, so that a list can be sent to somebody.

import { IconX } from '@tabler/icons-react'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useId, useState, type ReactNode } from 'react'
import { t } from '../words/speak'
import { Button } from './button'
import css from './filters.module.css'

export type Filter = Record<string, string | number | boolean | undefined>

/** What the address says, and how to change it. */
export function useFilters<F extends object>(): [F, (change: Partial<F>) => void] {
  const search = useSearch({ strict: false }) as unknown as F
  const navigate = useNavigate()
  const change = (next: Partial<F>) =>
    void navigate({
      to: '.',
      search: ((before: object) => {
        const merged = { ...before, ...next }
        return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined && value !== ''))
      }) as never,
      replace: true,
    })
  return [search, change]
}

export function Filters({
  children,
  set,
  onClear,
  tools,
}: {
  children: ReactNode
  set: boolean
  onClear: () => void
  /** What is set up about the list itself, at its other end. */
  tools?: ReactNode
}) {
  return (
    <div className={css.filters} role="search">
      {children}
      {set && (
        <Button icon={IconX} look="quiet" onClick={onClear}>
          {t('filter.clear')}
        </Button>
      )}
      {tools}
    </div>
  )
}

/** One of a few values. */
export function Choice({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: string | undefined
  options: { value: string; label: string }[]
  onChange: (value: string | undefined) => void
}) {
  return (
    <label className={css.choice} data-set={value !== undefined || undefined}>
      <span className="unseen">{label}</span>
      <select value={value ?? ''} onChange={(event) => onChange(event.currentTarget.value || undefined)}>
        <option value="">{label}</option>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </label>
  )
}

/** Text that is looked for a moment after the last key. */
export function Search({
  label,
  value,
  onChange,
  width,
}: {
  label: string
  value: string | undefined
  onChange: (value: string | undefined) => void
  width?: string
}) {
  const [text, setText] = useState(value ?? '')
  const [seen, setSeen] = useState(value)
  const id = useId()
  // The address changed by other means: back, or a cleared filter.
  if (seen !== value) {
    setSeen(value)
    if ((value ?? '') !== text.trim()) setText(value ?? '')
  }
  useEffect(() => {
    if (text.trim() === (value ?? '')) return
    const timer = setTimeout(() => onChange(text.trim() || undefined), 300)
    return () => clearTimeout(timer)
  })
  return (
    <>
      <label className="unseen" htmlFor={id}>
        {label}
      </label>
      <input
        id={id}
        type="search"
        className={css.search}
        style={width === undefined ? undefined : { flexBasis: width }}
        placeholder={label}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        spellCheck={false}
        autoComplete="off"
      />
    </>
  )
}

/** A day of the calendar. */
export function Day({
  label,
  value,
  onChange,
}: {
  label: string
  value: string | undefined
  onChange: (value: string | undefined) => void
}) {
  return (
    <label className={css.day}>
      {label} <input type="date" value={value ?? ''} onChange={(event) => onChange(event.currentTarget.value || undefined)} />
    </label>
  )
}
