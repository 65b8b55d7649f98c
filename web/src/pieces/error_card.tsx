import { IconRefresh } from '@tabler/icons-react'
import { Problem, type Fault } from '../api/problems'
import { has, said, t } from '../words/speak'
import { Button } from './button'
import css from './error_card.module.css'
import { IdChip } from './id_chip'

/** What went wrong in plain words, the request's id, and how to go on. */
export function ErrorCard({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = error instanceof Problem ? error : null
  return (
    <div className={css.card} role="alert">
      <strong>{causeOf(error)}</strong>
      {problem && problem.status > 0 && problem.message && <p>{problem.message}</p>}
      {problem?.faults
        .filter((fault) => saidOf(fault) !== causeOf(error))
        .map((fault) => (
          <p key={fault.pointer + fault.code}>
            <code>{fault.pointer}</code> {saidOf(fault)}
          </p>
        ))}
      <footer>
        {retry && (
          <Button icon={IconRefresh} onClick={retry}>
            {t('do.retry')}
          </Button>
        )}
        {problem?.requestId && (
          <span className="small dim">
            {t('error.request')} <IdChip id={problem.requestId} whole />
          </span>
        )}
        {problem?.page && (
          <a className="small" href={problem.page} target="_blank" rel="noreferrer">
            {t('error.catalogue', { code: problem.code })}
          </a>
        )}
      </footer>
    </div>
  )
}

/** One sentence about an error, in the chosen language where there is one for its code. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Problem)) return t('error.page')
  const particular = `error.fault.${error.fault ?? ''}`
  if (has(particular)) return said(particular)
  const key = `error.${error.code}`
  return has(key) ? said(key) : error.title || error.message
}

/** What is wrong with a field: in the chosen language where there is a sentence for it, else in the server's words. */
export function saidOf(fault: Fault): string {
  const key = `error.fault.${fault.code}`
  return has(key) ? said(key) : fault.detail
}
