import { IconCopy } from '@tabler/icons-react'
import { t } from '../words/speak'
import { Button } from './button'
import { copy } from './copy'
import css from './raw.module.css'

/** A record as the API gives it. */
export function Raw({ value, label }: { value: unknown; label?: string }) {
  const text = JSON.stringify(value, null, 2)
  return (
    <div className={css.raw}>
      <pre tabIndex={0} aria-label={label ?? t('record.raw')} dir="ltr" data-scrolls>
        {text}
      </pre>
      <Button icon={IconCopy} look="quiet" aria-label={t('copy.json')} onClick={() => void copy(text)} />
    </div>
  )
}
