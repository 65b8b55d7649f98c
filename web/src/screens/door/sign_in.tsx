import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useRouter, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { api, got } from '../../api/client'
import { keep, me } from '../../api/door'
import { Problem } from '../../api/problems'
import { usePlace } from '../../frame/place'
import { PasswordInput, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Line } from '../../pieces/empty'
import { Notice } from '../../pieces/section'
import { t } from '../../words/speak'
import css from './door.module.css'

type Second = 'none' | 'code' | 'recovery'

export default function SignIn() {
  usePlace({ label: t('door.sign_in') })
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const [second, setSecond] = useState<Second>('none')
  const { next } = useSearch({ strict: false })
  const router = useRouter()
  const queries = useQueryClient()
  const { data: door } = useQuery({ queryKey: ['door'], queryFn: () => got(api.GET('/v1/admin/door')), retry: false })

  const send = async () => {
    const digits = code.replaceAll(/\s/g, '')
    try {
      const signedIn = await got(
        api.POST('/v1/admin/door/sign-in', {
          body: {
            email,
            password,
            ...(second === 'code' && { totp: digits }),
            ...(second === 'recovery' && { recovery_code: code.trim() }),
          },
        }),
      )
      keep(signedIn)
      queries.removeQueries({ queryKey: me.queryKey })
      await router.invalidate()
      await router.navigate({ href: next?.startsWith('/') && !next.startsWith('//') ? next : '/', replace: true })
    } catch (error) {
      // The password was right: what is missing is no mistake.
      if (error instanceof Problem && error.fault === 'second_factor_required') setSecond('code')
      else throw error
    }
  }

  return (
    <>
      <h1>{t('door.sign_in')}</h1>
      {door?.setup && (
        <Notice tone="blue" title={t('door.first')}>
          <p>{t('door.first.how')}</p>
          <Line text="columba operator setup-link" />
        </Notice>
      )}
      <Form act={t('door.sign_in')} send={send}>
        {(errorOf) => (
          <>
            <TextInput
              label={t('door.email')}
              type="email"
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
              autoComplete="username"
              error={errorOf('email')}
              required
              autoFocus
            />
            <PasswordInput
              label={t('door.password')}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              autoComplete="current-password"
              error={errorOf('password')}
              required
            />
            {second !== 'none' && (
              <TextInput
                key={second}
                label={second === 'code' ? t('door.code') : t('door.recovery')}
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
                inputMode={second === 'code' ? 'numeric' : 'text'}
                autoComplete={second === 'code' ? 'one-time-code' : 'off'}
                error={errorOf('totp') ?? errorOf('recovery_code')}
                required
                autoFocus
              />
            )}
          </>
        )}
      </Form>
      {second !== 'none' && (
        <button
          type="button"
          className={css.link}
          onClick={() => {
            setCode('')
            setSecond(second === 'code' ? 'recovery' : 'code')
          }}
        >
          {second === 'code' ? t('door.recovery.use') : t('door.code.use')}
        </button>
      )}
      <p className="small dim">{t('door.forgot')}</p>
    </>
  )
}
