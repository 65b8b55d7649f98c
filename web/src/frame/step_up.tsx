// Asks for a fresh proof before something that destroys or reveals.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { api } from '../api/client'
import { me, stepUp } from '../api/door'
import { Dialog } from '../pieces/dialog'
import { PasswordInput, TextInput } from '../pieces/fields'
import { Form } from '../pieces/form'
import { t } from '../words/speak'

export default function StepUpLayer() {
  const [answer, setAnswer] = useState<((given: boolean) => void) | null>(null)
  useEffect(() => {
    stepUp.dialog = () => new Promise((resolve) => setAnswer(() => resolve))
    return () => {
      stepUp.dialog = null
    }
  }, [])
  if (!answer) return null
  return (
    <Proof
      onEnd={(given) => {
        setAnswer(null)
        answer(given)
      }}
    />
  )
}

function Proof({ onEnd }: { onEnd: (given: boolean) => void }) {
  const { data } = useQuery(me)
  const queries = useQueryClient()
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  return (
    <Dialog title={t('step_up.title')} onClose={() => onEnd(false)}>
      <p className="dim">{t('step_up.why')}</p>
      <Form
        act={t('step_up.act')}
        send={() =>
          api.POST('/v1/admin/me/step-up', { body: { password, ...(data?.operator.totp && { totp: code.replaceAll(' ', '') }) } })
        }
        onSent={() => {
          void queries.invalidateQueries({ queryKey: me.queryKey })
          onEnd(true)
        }}
        onCancel={() => onEnd(false)}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <PasswordInput
              label={t('door.password')}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              autoComplete="current-password"
              error={errorOf('password')}
              required
              autoFocus
            />
            {data?.operator.totp && (
              <TextInput
                label={t('door.code')}
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
                inputMode="numeric"
                autoComplete="one-time-code"
                error={errorOf('totp')}
                required
              />
            )}
          </>
        )}
      </Form>
    </Dialog>
  )
}
