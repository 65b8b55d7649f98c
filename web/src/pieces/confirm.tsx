// Asks before something is done to many, or for good: it names what and how many, and has what cannot be undone typed.

import { useState, useSyncExternalStore, type ReactNode } from 'react'
import { Problem } from '../api/problems'
import { t } from '../words/speak'
import { Button, Buttons } from './button'
import { Dialog } from './dialog'
import { ErrorCard } from './error_card'
import { Fields, TextInput } from './fields'

export interface Question {
  title: string
  /** What happens, to what, and how many. */
  reach: ReactNode
  /** Must be typed, when it cannot be undone. */
  typed?: string
  act: string
  danger?: boolean
  run: () => Promise<unknown>
}

let asked: Question | null = null
const listeners = new Set<() => void>()

export function confirm(question: Question): void {
  asked = question
  for (const listener of listeners) listener()
}

function settle(): void {
  asked = null
  for (const listener of listeners) listener()
}

export function ConfirmLayer() {
  const question = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => asked,
  )
  return question && <Ask key={question.title} question={question} />
}

function Ask({ question }: { question: Question }) {
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const ready = question.typed === undefined || typed.trim() === question.typed
  const run = async () => {
    setBusy(true)
    setError(null)
    try {
      await question.run()
      settle()
    } catch (problem) {
      // A proof that was not given is an answer, not an error.
      if (problem instanceof Problem && problem.code === 'step_up_required') settle()
      else setError(problem)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Dialog title={question.title} onClose={settle}>
      <div>{question.reach}</div>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (ready) void run()
        }}
      >
        {question.typed !== undefined && (
          <Fields>
            <TextInput
              label={t('confirm.type', { what: question.typed })}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              autoComplete="off"
              spellCheck={false}
              autoFocus
              mb={14}
            />
          </Fields>
        )}
        {error !== null && <ErrorCard error={error} />}
        <Buttons>
          <Button type="submit" look={question.danger ? 'danger' : 'main'} disabled={!ready} busy={busy}>
            {question.act}
          </Button>
          <Button look="quiet" onClick={settle} autoFocus={question.typed === undefined}>
            {t('do.cancel')}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  )
}
