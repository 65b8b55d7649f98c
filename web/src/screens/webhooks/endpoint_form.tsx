import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded, requestKey } from '../../api/client'
import { readSessions } from '../../api/fleet'
import { onBehalf } from '../../api/look'
import type { FleetWebhook } from '../../api/records'
import { Dialog } from '../../pieces/dialog'
import { Checkbox, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { toast } from '../../pieces/toast'
import { t } from '../../words/speak'
import { EventChoice } from './event_choice'
import { all, type Pattern } from './events'
import css from './webhooks.module.css'

/** An endpoint can be told of so many sessions by name; who wants more wants all. */
const sessionsMost = 100

/** An endpoint made for a tenant, or changed: then what is not touched stays. `onMade` gets the secret, which nobody shows again. */
export function EndpointForm({
  tenant,
  webhook,
  onClose,
  onMade,
}: {
  tenant: string
  webhook?: FleetWebhook
  onClose: () => void
  onMade?: (id: string, secret: string | null) => void
}) {
  const queries = useQueryClient()
  const [url, setUrl] = useState('')
  const [description, setDescription] = useState(webhook?.description ?? '')
  const [events, setEvents] = useState<Pattern[]>(webhook?.events ?? [all])
  const [sessions, setSessions] = useState<string[]>(webhook?.sessions ?? [])
  // One key for one endpoint: a button pressed twice is one.
  const [key] = useState(requestKey)
  const headers = onBehalf(tenant)
  const wanted = url.trim()
  const send = async () => {
    if (webhook) {
      const body = {
        ...(wanted && { url: wanted }),
        ...(description !== webhook.description && { description }),
        ...(!same(events, webhook.events) && { events }),
        ...(!same(sessions, webhook.sessions) && { sessions }),
      }
      await guarded(() => api.PATCH('/v1/webhooks/{id}', { params: { path: { id: webhook.id } }, headers, body }))
      toast({ text: t('do.saved') })
    } else {
      const body = { url: wanted, description, events, sessions }
      const made = await guarded(() => got(api.POST('/v1/webhooks', { headers: { ...headers, 'Idempotency-Key': key }, body })))
      onMade?.(made.id, made.secret ?? null)
    }
  }
  return (
    <Dialog title={webhook ? t('webhooks.change') : t('webhooks.new')} onClose={onClose}>
      <Form
        act={webhook ? t('do.save') : t('webhooks.new.act')}
        ready={(webhook !== undefined || wanted !== '') && events.length > 0}
        send={send}
        onSent={() => {
          void queries.invalidateQueries({ queryKey: ['webhooks'] })
          onClose()
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <TextInput
              label={t('webhooks.url')}
              description={webhook ? t('webhooks.url.kept', { url: webhook.url }) : t('webhooks.url.note')}
              placeholder="https://example.com/columba"
              value={url}
              onChange={(event) => setUrl(event.currentTarget.value)}
              error={errorOf('url')}
              maxLength={2048}
              dir="ltr"
              inputMode="url"
              autoComplete="off"
              spellCheck={false}
              required={!webhook}
              autoFocus
            />
            <TextInput
              label={t('webhooks.description')}
              value={description}
              onChange={(event) => setDescription(event.currentTarget.value)}
              error={errorOf('description')}
              maxLength={256}
            />
            <EventChoice patterns={events} onChange={setEvents} error={errorOf('events')} />
            <SessionChoice tenant={tenant} chosen={sessions} onChange={setSessions} error={errorOf('sessions')} />
            {!webhook && <p className="dim">{t('webhooks.new.reach')}</p>}
          </>
        )}
      </Form>
    </Dialog>
  )
}

/** All sessions, unless some are named. */
function SessionChoice({
  tenant,
  chosen,
  onChange,
  error,
}: {
  tenant: string
  chosen: string[]
  onChange: (chosen: string[]) => void
  error: string | undefined
}) {
  const query = { tenant, sort: 'label', order: 'asc' } as const
  const { data } = useQuery({
    queryKey: ['sessions', 'to choose', tenant],
    queryFn: ({ signal }) => readSessions(query, undefined, signal),
  })
  const listed = data?.data ?? []
  // One that was named and is no longer listed can still be taken out.
  const others = data ? chosen.filter((id) => !listed.some((one) => one.id === id)) : []
  const press = (id: string) => onChange(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id].slice(0, sessionsMost))
  return (
    <fieldset className={css.events}>
      <legend>{t('sessions.title')}</legend>
      <Checkbox
        checked={chosen.length === 0}
        onChange={() => onChange([])}
        label={t('webhooks.sessions.all')}
        disabled={chosen.length === 0}
      />
      {listed.length + others.length > 0 && (
        <details open={chosen.length > 0}>
          <summary>{t('webhooks.sessions.some')}</summary>
          <div className={css.each}>
            {listed.map((one) => (
              <Checkbox key={one.id} checked={chosen.includes(one.id)} onChange={() => press(one.id)} label={<bdi>{one.label}</bdi>} />
            ))}
            {others.map((id) => (
              <Checkbox key={id} checked onChange={() => press(id)} label={<code dir="ltr">{id}</code>} />
            ))}
          </div>
        </details>
      )}
      {error && <p className={css.fault}>{error}</p>}
    </fieldset>
  )
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((value) => other.includes(value))
}
