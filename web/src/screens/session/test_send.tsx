import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, requestKey } from '../../api/client'
import { may, me } from '../../api/door'
import { rateWindow } from '../../api/fleet'
import { onBehalf, useLook } from '../../api/look'
import type { FleetSession } from '../../api/records'
import { TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Section } from '../../pieces/section'
import { toast } from '../../pieces/toast'
import { t } from '../../words/speak'

/** One message, sent as any other: it counts, and the cap holds. */
export function TestSend({ record }: { record: FleetSession }) {
  const { data } = useQuery(me)
  const look = useLook()
  const queries = useQueryClient()
  const [to, setTo] = useState(record.engine === 'sandbox' ? '+15551230001' : '')
  const [text, setText] = useState(t('test.text'))
  if (!may(data?.operator.role, 'support') || look?.tenant === record.tenant) return null
  return (
    <Section title={t('test.title')} note={t('test.note')}>
      <Form
        act={t('test.act')}
        send={() =>
          got(
            api.POST('/v1/sessions/{id}/messages', {
              params: { path: { id: record.id } },
              body: { to, type: 'text', text: { body: text } } as never,
              headers: { ...onBehalf(record.tenant), 'Idempotency-Key': requestKey() },
            }),
          )
        }
        onSent={() => {
          toast({ text: t('test.sent') })
          void queries.invalidateQueries({ queryKey: rateWindow(record.tenant, record.id).queryKey })
        }}
      >
        {(errorOf) => (
          <>
            <TextInput
              label={t('test.to')}
              value={to}
              onChange={(event) => setTo(event.currentTarget.value)}
              inputMode="tel"
              dir="ltr"
              placeholder="+15551230001"
              error={errorOf('to')}
              required
            />
            <TextInput
              label={t('test.body')}
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
              error={errorOf('text/body')}
              required
            />
          </>
        )}
      </Form>
    </Section>
  )
}
