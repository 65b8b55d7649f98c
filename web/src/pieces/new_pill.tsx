import { IconArrowUp } from '@tabler/icons-react'
import { t } from '../words/speak'
import css from './new_pill.module.css'

/** New rows wait here, so that none jumps under the pointer. */
export function NewPill({ count, onShow }: { count: number; onShow: () => void }) {
  return (
    <div className={css.place} role="status">
      {count > 0 && (
        <button type="button" className={css.pill} onClick={onShow}>
          <IconArrowUp size={13} aria-hidden />
          {t('list.new', { count })}
        </button>
      )}
    </div>
  )
}
