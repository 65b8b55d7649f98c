import { usePlace } from '../../frame/place'
import { Heading } from '../../pieces/section'
import { t } from '../../words/speak'
import { AuditList } from './audit_list'

export default function Audit() {
  usePlace({ label: t('audit.title') })
  return (
    <>
      <Heading title={t('audit.title')} note={t('audit.note')} />
      <AuditList />
    </>
  )
}
