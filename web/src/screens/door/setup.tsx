import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { api, got } from '../../api/client'
import { keep, me } from '../../api/door'
import { usePlace } from '../../frame/place'
import { TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Line } from '../../pieces/empty'
import { Notice } from '../../pieces/section'
import { t } from '../../words/speak'
import { NewPassword, shortest } from './passwords'
import { useLinkToken } from './token'

/** The first run: makes the owner. */
export default function Setup() {
  usePlace({ label: t('door.setup') })
  const token = useLinkToken()
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const router = useRouter()
  const queries = useQueryClient()
  if (!token) {
    return (
      <>
        <h1>{t('door.setup')}</h1>
        <Notice title={t('door.no_token')}>
          <p>{t('door.first.how')}</p>
          <Line text="columba operator setup-link" />
        </Notice>
      </>
    )
  }
  return (
    <>
      <h1>{t('door.setup')}</h1>
      <p className="dim">{t('door.setup.what')}</p>
      <Form
        act={t('door.setup.act')}
        ready={password.length >= shortest}
        send={async () => {
          keep(await got(api.POST('/v1/admin/door/setup', { body: { token, name, email, password } })))
        }}
        onSent={() => {
          queries.removeQueries({ queryKey: me.queryKey })
          void router.navigate({ to: '/', replace: true })
        }}
      >
        {(errorOf) => (
          <>
            <TextInput
              label={t('door.name')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              autoComplete="name"
              error={errorOf('name')}
              required
              autoFocus
            />
            <TextInput
              label={t('door.email')}
              type="email"
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
              autoComplete="username"
              error={errorOf('email')}
              required
            />
            <NewPassword value={password} onChange={setPassword} error={errorOf('password')} />
          </>
        )}
      </Form>
    </>
  )
}
