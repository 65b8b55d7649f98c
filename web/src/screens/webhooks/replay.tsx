import { useState } from 'react'
import { api, got, requestKey } from '../../api/client'
import { onBehalf } from '../../api/look'
import type { FleetWebhook } from '../../api/records'
import { Dialog } from '../../pieces/dialog'
import { Checkbox, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Notice } from '../../pieces/section'
import { said, t } from '../../words/speak'
import { clock } from '../../words/times'
import css from './webhooks.module.css'

type Status = 'dead' | 'skipped' | 'delivered'
const statuses: Status[] = ['dead', 'skipped', 'delivered']

const hour = 3_600_000
/** Events are kept no longer. */
const kept = 14 * 24 * hour

/** Sends the events of a time again. */
export function Replay({ webhook, onClose, onSent }: { webhook: FleetWebhook; onClose: () => void; onSent: () => void }) {
  const [now] = useState(Date.now)
  const [from, setFrom] = useState(() => local(Math.max(now - kept, beginOf(webhook, now))))
  const [until, setUntil] = useState(() => local(now + 60_000))
  const [chosen, setChosen] = useState<Status[]>(['dead', 'skipped'])
  const [made, setMade] = useState<{ count: number; goOn: string | null } | null>(null)
  // One key for one answer: a button pressed twice is one, what is left over is another.
  const [key, setKey] = useState(requestKey)
  const [start, end] = [Date.parse(from), Date.parse(until)]
  const ordered = start < end
  const ready = ordered && chosen.length > 0
  const send = async () => {
    const answer = await got(
      api.POST('/v1/webhooks/{id}/redeliver', {
        params: { path: { id: webhook.id } },
        headers: { ...onBehalf(webhook.tenant), 'Idempotency-Key': key },
        body: { from: made?.goOn ?? new Date(start).toISOString(), to: new Date(end).toISOString(), statuses: chosen },
      }),
    )
    setMade({ count: (made?.count ?? 0) + answer.redelivered, goOn: answer.next_from })
    setKey(requestKey())
    onSent()
  }
  const done = made !== null && made.goOn === null
  return (
    <Dialog title={t('replay.title')} onClose={onClose}>
      {made && (
        <Notice tone="blue">
          {t('replay.done', { count: made.count })}
          {made.goOn && ` ${t('replay.more', { time: clock(Date.parse(made.goOn), now) })}`}
        </Notice>
      )}
      <Form
        act={made?.goOn ? t('replay.go_on') : t('replay.act')}
        ready={ready && !done}
        send={send}
        onCancel={onClose}
        cancel={made ? t('do.close') : t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <div className={css.span}>
              <TextInput
                type="datetime-local"
                label={t('filter.from')}
                value={from}
                onChange={(event) => {
                  setFrom(event.currentTarget.value)
                  setMade(null)
                }}
                error={errorOf('from')}
                required
              />
              <TextInput
                type="datetime-local"
                label={t('filter.until')}
                value={until}
                onChange={(event) => {
                  setUntil(event.currentTarget.value)
                  setMade(null)
                }}
                error={errorOf('to') ?? (from && until && !ordered ? t('replay.order') : undefined)}
                required
              />
            </div>
            <fieldset className={css.events}>
              <legend>{t('replay.which')}</legend>
              {statuses.map((status) => (
                <Checkbox
                  key={status}
                  checked={chosen.includes(status)}
                  onChange={() => {
                    setChosen(chosen.includes(status) ? chosen.filter((one) => one !== status) : [...chosen, status])
                    setMade(null)
                  }}
                  label={said(`replay.status.${status}`)}
                />
              ))}
              {(errorOf('statuses') ?? chosen.length === 0) && <p className={css.fault}>{errorOf('statuses') ?? t('replay.least')}</p>}
            </fieldset>
            {ready && !made && (
              <p role="status">{t('replay.reach', { from: clock(start, now), until: clock(end, now), url: webhook.url })}</p>
            )}
            {chosen.includes('delivered') && <Notice tone="amber">{t('replay.twice')}</Notice>}
          </>
        )}
      </Form>
    </Dialog>
  )
}

/** Since it began to go wrong, else the last day. */
function beginOf(webhook: FleetWebhook, now: number): number {
  const wrong = webhook.health.failing_since ?? (webhook.status === 'disabled' ? webhook.since : null)
  return wrong ? Date.parse(wrong) - hour : now - 24 * hour
}

/** As the browser's field for a day and time has it: on the clock here, to the minute. */
function local(at: number): string {
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
