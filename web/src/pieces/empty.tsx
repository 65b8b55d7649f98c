import { IconCopy } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { t } from '../words/speak'
import { Button } from './button'
import { copy } from './copy'
import css from './empty.module.css'

/** Nothing here yet: one sentence, the next action, and the same as a line for the terminal. */
export function Empty({ text, children, line }: { text: string; children?: ReactNode; line?: string }) {
  return (
    <div className={css.empty}>
      <img src="/ui/mark.svg" alt="" width={36} height={36} />
      <p>{text}</p>
      {children}
      {line && <Line text={line} />}
    </div>
  )
}

/** A line for the terminal, with a button that copies it. */
export function Line({ text }: { text: string }) {
  return (
    <div className={css.line} dir="ltr">
      <code tabIndex={0}>{text}</code>
      <Button icon={IconCopy} look="quiet" aria-label={t('copy.line')} onClick={() => void copy(text)} />
    </div>
  )
}
