import { IconEye } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { api } from '../api/client'
import { keepLook, useLook } from '../api/look'
import { useNow } from '../pieces/now'
import { t } from '../words/speak'
import { left } from '../words/times'
import css from './frame.module.css'

/** As long as somebody looks as a tenant everybody at this screen can see that. */
export function LookBanner() {
  const look = useLook()
  const now = useNow()
  const queries = useQueryClient()
  const over = look !== null && Date.parse(look.until) <= now
  useEffect(() => {
    if (!over) return
    keepLook(null)
    void queries.invalidateQueries()
  }, [over, queries])
  if (!look) return null
  const end = async () => {
    await api.DELETE('/v1/admin/looks/{id}', { params: { path: { id: look.id } } }).catch(() => {})
    keepLook(null)
    void queries.invalidateQueries()
  }
  return (
    <div className={css.look} role="status">
      <IconEye size={16} aria-hidden />
      <span>{t('look.banner', { left: left(Date.parse(look.until), now), reason: look.reason })}</span>
      <button type="button" onClick={() => void end()}>
        {t('look.end')}
      </button>
    </div>
  )
}
