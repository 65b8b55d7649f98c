// Linking a phone: the code as large as the screen allows, how long it still holds, how far it has come, and the other way.

import { IconLink, IconPlayerPlay } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { may, me } from '../../api/door'
import { session } from '../../api/fleet'
import { onBehalf, useLook } from '../../api/look'
import type { FleetSession } from '../../api/records'
import { Problem } from '../../api/problems'
import { Button, Buttons } from '../../pieces/button'
import { copy } from '../../pieces/copy'
import { Line } from '../../pieces/empty'
import { causeOf, ErrorCard } from '../../pieces/error_card'
import { TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { useNow } from '../../pieces/now'
import { Qr } from '../../pieces/qr'
import { Section } from '../../pieces/section'
import { Left } from '../../pieces/since'
import { Bone } from '../../pieces/skeleton'
import { toast } from '../../pieces/toast'
import { explainSession } from '../../words/sentences'
import { t } from '../../words/speak'
import { left } from '../../words/times'
import css from './pair.module.css'
import { stepOf, steps } from './pairing_steps'

export function Pair({ record }: { record: FleetSession }) {
  const { data } = useQuery(me)
  const look = useLook()
  if (!may(data?.operator.role, 'support')) return <Section>{t('role.takes', { role: t('role.support') })}</Section>
  if (look?.tenant === record.tenant) return <Section>{t('look.no_acting')}</Section>
  return (
    <div className={css.pair}>
      <Section>
        <Steps record={record} />
        {record.status === 'pairing' ? <Code record={record} /> : <NotPairing record={record} />}
      </Section>
      <div>
        <ByNumber record={record} />
        <ByLink record={record} />
        <p className={css.honest}>{t('pair.honest')}</p>
      </div>
    </div>
  )
}

function Steps({ record }: { record: FleetSession }) {
  const reached = stepOf(record)
  return (
    <ol className={css.steps} aria-label={t('pair.steps')}>
      {steps.map((step, at) => (
        <li key={step} data-lit={at <= reached || undefined} aria-current={at === reached ? 'step' : undefined}>
          {t(`pair.step.${step}`)}
        </li>
      ))}
    </ol>
  )
}

function Code({ record }: { record: FleetSession }) {
  const now = useNow()
  const { data, error, refetch } = useQuery({
    queryKey: ['qr', record.id],
    queryFn: async ({ signal }) => {
      const qr = await got(
        api.GET('/v1/sessions/{id}/qr', { params: { path: { id: record.id } }, headers: onBehalf(record.tenant), signal }),
      )
      return { ...(qr as { code: string; expires_at: string; attempt: number; of?: number }), seenAt: Date.now() }
    },
    refetchInterval: 2_000,
    staleTime: 0,
    gcTime: 0,
    // The same code keeps the moment it was first seen, from which the ring runs down.
    structuralSharing: (before, after) => {
      const [old, fresh] = [before, after] as [{ code: string } | undefined, { code: string }]
      return old && old.code === fresh.code ? old : fresh
    },
  })
  const play = useMutation({
    mutationFn: (code: string) => api.POST('/v1/sandbox/scan', { body: { code }, headers: onBehalf(record.tenant) }),
    onError: (problem) => toast({ text: causeOf(problem), tone: 'red' }),
  })
  // Between two codes there is none for a moment.
  if (error && !(error instanceof Problem && error.code === 'not_pairing')) return <ErrorCard error={error} retry={() => void refetch()} />
  if (!data) {
    return (
      <div className={css.code}>
        <div className={css.ring}>
          <Bone width="100%" height={260} />
        </div>
      </div>
    )
  }
  const ends = Date.parse(data.expires_at)
  const share = Math.max(0, Math.min(1, (ends - now) / Math.max(1, ends - data.seenAt)))
  return (
    <div className={css.code}>
      <div className={css.ring} style={{ ['--share' as string]: share }} data-low={share < 0.25 || undefined}>
        <div className={css.paper}>
          <Qr code={data.code} label={t('pair.qr')} />
        </div>
      </div>
      <p className={css.runs}>
        <strong>{t('pair.holds', { time: left(ends, now) })}</strong>
        <span className="dim">
          {data.of ? t('pair.attempt_of', { attempt: data.attempt, of: data.of }) : t('pair.attempt', { attempt: data.attempt })}
        </span>
      </p>
      <ol className={css.how}>
        <li>{t('pair.how.1')}</li>
        <li>{t('pair.how.2')}</li>
        <li>{t('pair.how.3')}</li>
      </ol>
      {record.engine === 'sandbox' && (
        <Button icon={IconPlayerPlay} busy={play.isPending} onClick={() => play.mutate(data.code)}>
          {t('pair.play')}
        </Button>
      )}
    </div>
  )
}

/** No code to show: why, and what brings one. */
function NotPairing({ record }: { record: FleetSession }) {
  const now = useNow(10_000)
  const queries = useQueryClient()
  const start = useMutation({
    mutationFn: () => api.POST('/v1/sessions/{id}/start', { params: { path: { id: record.id } }, headers: onBehalf(record.tenant) }),
    onSuccess: () => queries.invalidateQueries({ queryKey: session(record.id).queryKey }),
  })
  if (record.status === 'connected') {
    return (
      <div className={css.done}>
        <p>{t('pair.connected')}</p>
      </div>
    )
  }
  if (record.status === 'starting' || record.status === 'reconnecting') {
    return (
      <div className={css.done}>
        <p className="dim">{record.paired ? t('pair.syncing') : t('pair.starting')}</p>
      </div>
    )
  }
  const { what, cure } = explainSession(record, now)
  return (
    <div className={css.done}>
      <p>{what}</p>
      {cure && <p className="dim">{cure}</p>}
      {start.error && <ErrorCard error={start.error} />}
      <Button look="main" icon={IconPlayerPlay} busy={start.isPending} onClick={() => start.mutate()}>
        {t('pair.start')}
      </Button>
    </div>
  )
}

function ByNumber({ record }: { record: FleetSession }) {
  const [phone, setPhone] = useState('')
  const [given, setGiven] = useState<{ code: string; expires_at: string } | null>(null)
  return (
    <Section title={t('pair.number')} note={t('pair.number.note')}>
      {given ? (
        <div className={css.given}>
          <button
            type="button"
            className={css.typed}
            dir="ltr"
            onClick={() => void copy(given.code)}
            aria-label={t('copy.what', { what: given.code })}
          >
            {given.code}
          </button>
          <p className="small dim">
            {t('pair.number.how')} {t('pair.ends')} <Left until={given.expires_at} />
          </p>
          <Button look="quiet" onClick={() => setGiven(null)}>
            {t('pair.number.other')}
          </Button>
        </div>
      ) : (
        <Form
          act={t('pair.number.act')}
          ready={record.status === 'pairing'}
          send={async () => {
            const answer = await got(
              api.POST('/v1/sessions/{id}/pairing-code', {
                params: { path: { id: record.id } },
                body: { phone: phone.replaceAll(/[\s()-]/g, '') },
                headers: onBehalf(record.tenant),
              }),
            )
            setGiven(answer as { code: string; expires_at: string })
          }}
        >
          {(errorOf) => (
            <TextInput
              label={t('pair.number.label')}
              description={record.status === 'pairing' ? undefined : t('pair.number.first')}
              value={phone}
              onChange={(event) => setPhone(event.currentTarget.value)}
              type="tel"
              autoComplete="off"
              dir="ltr"
              placeholder="+15551230001"
              error={errorOf('phone')}
              required
            />
          )}
        </Form>
      )}
    </Section>
  )
}

/** A page for whoever holds the phone: one use, ten minutes. */
function ByLink({ record }: { record: FleetSession }) {
  const make = useMutation({
    mutationFn: () =>
      guarded(() =>
        got(api.POST('/v1/sessions/{id}/pairing-links', { params: { path: { id: record.id } }, headers: onBehalf(record.tenant) })),
      ),
  })
  const drop = useMutation({
    mutationFn: () =>
      api.DELETE('/v1/sessions/{id}/pairing-links', { params: { path: { id: record.id } }, headers: onBehalf(record.tenant) }),
    onSuccess: () => make.reset(),
  })
  return (
    <Section title={t('pair.link')} note={t('pair.link.note')}>
      {make.error && <ErrorCard error={make.error} />}
      {make.data ? (
        <div className={css.given}>
          <Line text={make.data.url} />
          <p className="small dim">
            {t('pair.ends')} <Left until={make.data.expires_at} />
          </p>
          <Button look="quiet" busy={drop.isPending} onClick={() => drop.mutate()}>
            {t('pair.link.drop')}
          </Button>
        </div>
      ) : (
        <Buttons>
          <Button icon={IconLink} busy={make.isPending} onClick={() => make.mutate()}>
            {t('pair.link.act')}
          </Button>
        </Buttons>
      )}
    </Section>
  )
}
