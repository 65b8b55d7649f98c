import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { api, got } from '../../api/client'
import { keep, me } from '../../api/door'
import { usePlace } from '../../frame/place'
import { Form } from '../../pieces/form'
import { Notice } from '../../pieces/section'
import { t } from '../../words/speak'
import { NewPassword, shortest } from './passwords'
import { useLinkToken } from './token'

/** Where an invitation leads: the password is chosen, and whoever chose it is in. */
export default function Welcome() {
  usePlace({ label: t('door.welcome') })
  const token = useLinkToken()
  const [password, setPassword] = useState('')
  const router = useRouter()
  const queries = useQueryClient()
  return (
    <>
      <h1>{t('door.welcome')}</h1>
      {!token && <Notice title={t('door.no_token')}>{t('door.welcome.again')}</Notice>}
      {token && (
        <Form
          act={t('door.welcome.act')}
          ready={password.length >= shortest}
          send={async () => {
            keep(await got(api.POST('/v1/admin/door/welcome', { body: { token, password } })))
          }}
          onSent={() => {
            queries.removeQueries({ queryKey: me.queryKey })
            void router.navigate({ to: '/', replace: true })
          }}
        >
          {(errorOf) => <NewPassword value={password} onChange={setPassword} error={errorOf('password')} />}
        </Form>
      )}
    </>
  )
}
