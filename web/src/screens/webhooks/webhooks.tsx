import { usePlace } from '../../frame/place'
import { Heading } from '../../pieces/section'
import { t } from '../../words/speak'
import { WebhookList } from './webhook_list'

export default function Webhooks() {
  usePlace({ label: t('webhooks.title') })
  return (
    <>
      <Heading title={t('webhooks.title')} note={t('webhooks.note')} />
      <WebhookList />
    </>
  )
}
