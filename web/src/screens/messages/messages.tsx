import { usePlace } from '../../frame/place'
import { Heading } from '../../pieces/section'
import { t } from '../../words/speak'
import { MessageList } from './message_list'

/** Every message of the fleet, newest first. */
export default function Messages() {
  usePlace({ label: t('messages.title') })
  return (
    <>
      <Heading title={t('messages.title')} note={t('messages.note')} />
      <MessageList />
    </>
  )
}
