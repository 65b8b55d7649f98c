import { t } from '../words/speak'
import { copy } from './copy'
import css from './id_chip.module.css'

/** An id, shortened in the middle; a click copies all of it. `whole` shows it as it is. */
export function IdChip({ id, whole = false }: { id: string | null | undefined; whole?: boolean }) {
  if (!id) return <span className="dim">–</span>
  return (
    <button
      type="button"
      className={css.chip}
      data-tip={`${id}\n${t('copy.click')}`}
      aria-label={t('copy.what', { what: whole ? id : shorten(id) })}
      onClick={(event) => {
        event.stopPropagation()
        void copy(id)
      }}
      dir="ltr"
    >
      {whole ? id : shorten(id)}
    </button>
  )
}

/** Prefix and the last eight characters: what differs between ids of one minute is at their end. */
export function shorten(id: string): string {
  const prefix = /^[a-z]{2,4}_/.exec(id)?.[0] ?? ''
  return id.length > prefix.length + 12 ? `${prefix}…${id.slice(-8)}` : id
}
