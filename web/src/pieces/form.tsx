// A form that says beside each field what the server found wrong with it.

import { useState, type ReactNode } from 'react'
import { Problem } from '../api/problems'
import { Button, Buttons } from './button'
import { ErrorCard, saidOf } from './error_card'
import { Fields } from './fields'
import css from './form.module.css'

export function Form({
  send,
  act,
  onSent,
  onCancel,
  cancel,
  danger = false,
  ready = true,
  children,
}: {
  /** What the button does; what it throws is shown. */
  send: () => Promise<unknown>
  act: string
  onSent?: () => void
  onCancel?: () => void
  cancel?: string
  danger?: boolean
  ready?: boolean
  children: (errorOf: (pointer: string) => string | undefined) => ReactNode
}) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const named = new Set<string>()
  const faults = error instanceof Problem ? error.faults : []
  const errorOf = (pointer: string) => {
    const fault = faults.find((fault) => fault.pointer === pointer || fault.pointer === `/${pointer}`)
    if (fault) named.add(fault.pointer)
    return fault && saidOf(fault)
  }
  return (
    <form
      className={css.form}
      onSubmit={(event) => {
        event.preventDefault()
        if (busy || !ready) return
        setBusy(true)
        setError(null)
        send().then(
          () => {
            setBusy(false)
            onSent?.()
          },
          (problem: unknown) => {
            setBusy(false)
            setError(problem)
          },
        )
      }}
    >
      <Fields>{children(errorOf)}</Fields>
      {/* After the fields, so that whatever stands among them has asked by then. */}
      {error !== null && <Unplaced error={error} named={named} />}
      <Buttons>
        <Button type="submit" look={danger ? 'danger' : 'main'} busy={busy} disabled={!ready}>
          {act}
        </Button>
        {onCancel && (
          <Button look="quiet" onClick={onCancel}>
            {cancel}
          </Button>
        )}
      </Buttons>
    </form>
  )
}

/** A problem whose every fault stands beside its field needs no card of its own. */
function Unplaced({ error, named }: { error: unknown; named: Set<string> }) {
  const faults = error instanceof Problem ? error.faults : []
  return faults.length > 0 && faults.every(({ pointer }) => named.has(pointer)) ? null : <ErrorCard error={error} />
}

/** A part of a long form, under a name of its own. */
export function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <fieldset className={css.group}>
      <legend>{title}</legend>
      {children}
    </fieldset>
  )
}
