import { IconArrowUp } from '@tabler/icons-react'
import { number } from '../words/amounts'
import { t } from '../words/speak'
import css from './new_pill.module.css'

/** New rows wait here, so that none jumps under the pointer. */
export function NewPill({ count, beyond = false, onShow }: { count: number; /** There are more. */ beyond?: boolean; onShow: () => void }) {
  return (
    <div className={css.place} role="status">
      {count > 0 && (
        <button type="button" className={css.pill} onClick={onShow}>
          <IconArrowUp size={13} aria-hidden />
          {beyond ? t('list.new.beyond', { number: number(count) }) : t('list.new', { count })}
        </button>
      )}
    </div>
  )
}
