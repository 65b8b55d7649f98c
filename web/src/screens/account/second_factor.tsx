import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { me } from '../../api/door'
import type { OperatorSelf } from '../../api/records'
import { Button, Buttons } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { copy } from '../../pieces/copy'
import { TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { IdChip } from '../../pieces/id_chip'
import { Badge } from '../../pieces/pill'
import { Qr } from '../../pieces/qr'
import { Notice, Section } from '../../pieces/section'
import { t } from '../../words/speak'
import css from './account.module.css'

/** The code from an authenticator, and the codes for when that is lost. */
export function SecondFactor({ operator }: { operator: OperatorSelf }) {
  const queries = useQueryClient()
  const [started, setStarted] = useState<{ secret: string; uri: string } | null>(null)
  const [codes, setCodes] = useState<string[] | null>(null)
  const [code, setCode] = useState('')
  const renew = () => queries.invalidateQueries({ queryKey: me.queryKey })
  return (
    <Section
      title={
        <>
          {t('totp.title')} {operator.totp ? <Badge tone="green">{t('totp.on')}</Badge> : <Badge tone="amber">{t('totp.off')}</Badge>}
        </>
      }
    >
      {codes && (
        <div className={css.steps}>
          <Notice tone="amber" title={t('totp.codes')}>
            {t('totp.codes.note')}
          </Notice>
          <ul className={css.codes} dir="ltr">
            {codes.map((one) => (
              <li key={one} className="mono">
                {one}
              </li>
            ))}
          </ul>
          <Buttons>
            <Button onClick={() => void copy(codes.join('\n'))}>{t('totp.codes.copy')}</Button>
            <Button look="main" onClick={() => setCodes(null)}>
              {t('secret.kept')}
            </Button>
          </Buttons>
        </div>
      )}
      {!codes && operator.totp && (
        <div className={css.steps}>
          <p>{t('totp.left', { count: operator.recovery_codes_left })}</p>
          <Buttons>
            <Button
              look="danger"
              onClick={() =>
                confirm({
                  title: t('totp.remove'),
                  reach: t('totp.remove.reach'),
                  act: t('totp.remove'),
                  danger: true,
                  run: async () => {
                    await guarded(() => api.DELETE('/v1/admin/me/totp'))
                    await renew()
                  },
                })
              }
            >
              {t('totp.remove')}
            </Button>
          </Buttons>
        </div>
      )}
      {!codes && !operator.totp && !started && (
        <div className={css.steps}>
          <p className="dim">{t('totp.why')}</p>
          <Form act={t('totp.start')} send={async () => setStarted(await guarded(() => got(api.POST('/v1/admin/me/totp'))))}>
            {() => null}
          </Form>
        </div>
      )}
      {!codes && !operator.totp && started && (
        <div className={css.steps}>
          <p>{t('totp.scan')}</p>
          <div className={css.qr}>
            <Qr code={started.uri} label={t('totp.qr')} />
          </div>
          <p className="small dim">
            {t('totp.by_hand')} <IdChip id={started.secret} whole />
          </p>
          <Form
            act={t('totp.confirm')}
            ready={code.trim().length >= 6}
            send={async () => {
              const { recovery_codes } = await got(api.POST('/v1/admin/me/totp/confirm', { body: { code: code.replaceAll(/\s/g, '') } }))
              setCodes(recovery_codes)
              setStarted(null)
              await renew()
            }}
            onCancel={() => setStarted(null)}
            cancel={t('do.cancel')}
          >
            {(errorOf) => (
              <TextInput
                label={t('door.code')}
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
                inputMode="numeric"
                autoComplete="one-time-code"
                error={errorOf('code')}
                required
              />
            )}
          </Form>
        </div>
      )}
    </Section>
  )
}
