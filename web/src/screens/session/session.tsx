// One session: what state it is in, why, since when, whose it is and what carries it; then what to do about it.

import { IconPlayerPlay, IconPlayerStop, IconRefresh } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { api } from '../../api/client'
import { may, me } from '../../api/door'
import { rateWindow, session, timelineKey } from '../../api/fleet'
import { onBehalf, useLook } from '../../api/look'
import type { FleetSession } from '../../api/records'
import { useGathered } from '../../feed/gathered'
import { useFeed } from '../../feed/use_feed'
import { usePlace } from '../../frame/place'
import { Button, Buttons } from '../../pieces/button'
import { ErrorCard, causeOf } from '../../pieces/error_card'
import { IdChip } from '../../pieces/id_chip'
import { useNow } from '../../pieces/now'
import { StatePill } from '../../pieces/pill'
import { Heading, Notice, Section } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { Tabs, useTab } from '../../pieces/tabs'
import { toast } from '../../pieces/toast'
import { explainRestriction, explainSession } from '../../words/sentences'
import { t } from '../../words/speak'
import { Chats } from './chats'
import { Danger } from './danger'
import { Events } from './events'
import { MessageList } from '../messages/message_list'
import { Now } from './now'
import { Pair } from './pair'
import { Past } from './past'

export default function Session() {
  const { session: id } = useParams({ strict: false }) as { session: string }
  const { data, error, refetch } = useQuery({ ...session(id), refetchInterval: 15_000 })
  usePlace({ label: t('sessions.title'), to: { to: '/sessions' } }, { label: data?.label ?? '…' })
  if (error && !data) return <ErrorCard error={error} retry={() => void refetch()} />
  if (!data) {
    return (
      <Section>
        <Skeleton lines={8} height={320} />
      </Section>
    )
  }
  return <Shown key={id} record={data} />
}

function Shown({ record }: { record: FleetSession }) {
  const queries = useQueryClient()
  const pairs = !record.paired || ['pairing', 'logged_out'].includes(record.status)
  const tabs = [
    ...(pairs ? [{ key: 'pair', label: t('session.pair') }] : []),
    { key: 'now', label: t('session.now') },
    { key: 'timeline', label: t('session.timeline') },
    { key: 'events', label: t('session.events') },
    { key: 'messages', label: t('session.messages') },
    { key: 'chats', label: t('session.chats') },
    ...(pairs ? [] : [{ key: 'pair', label: t('session.pair') }]),
    { key: 'settings', label: t('session.settings') },
  ]
  const [tab, choose] = useTab(tabs)
  const renew = useGathered(400, () => {
    void queries.invalidateQueries({ queryKey: session(record.id).queryKey })
    void queries.invalidateQueries({ queryKey: rateWindow(record.tenant, record.id).queryKey })
    void queries.invalidateQueries({ queryKey: timelineKey(record.id) })
    void queries.invalidateQueries({ queryKey: ['qr', record.id] })
  })
  useFeed(
    record.tenant,
    (event) => {
      if (event.s === record.id) renew.add(event.e)
    },
    () => renew.add('resync'),
  )
  return (
    <>
      <Heading
        title={record.label}
        state={<StatePill status={record.status} />}
        facts={
          <>
            <Link to="/tenants/$tenant" params={{ tenant: record.tenant }}>
              {record.tenant_name}
            </Link>
            <span>
              {t('session.since')} <Since at={record.since} />
            </span>
            <span>
              {record.engine} {record.release && <code>{record.release}</code>}
            </span>
            <IdChip id={record.id} />
          </>
        }
      >
        <Verbs record={record} />
      </Heading>
      <State record={record} />
      <Tabs label={record.label} tabs={tabs} chosen={tab} onChoose={choose} />
      {tab === 'pair' && <Pair record={record} />}
      {tab === 'now' && <Now record={record} />}
      {tab === 'timeline' && <Past record={record} />}
      {tab === 'events' && <Events record={record} />}
      {tab === 'messages' && <MessageList session={record} />}
      {tab === 'chats' && <Chats record={record} />}
      {tab === 'settings' && <Danger record={record} />}
    </>
  )
}

/** What happened, what Columba does about it, what you can do: unless all is well. */
function State({ record }: { record: FleetSession }) {
  const now = useNow(10_000)
  const { what, does, cure } = explainSession(record, now)
  const calm = record.status === 'connected' && record.restriction === null
  if (calm) return null
  const bad = ['logged_out', 'quarantined'].includes(record.status)
  const quiet = ['stopped', 'pairing'].includes(record.status)
  return (
    <>
      {record.status !== 'connected' && (
        <Notice tone={bad ? 'red' : quiet ? 'grey' : 'amber'}>
          <p>
            {what} {does} {cure}
            {record.reason && (
              <>
                {' '}
                <code className="small dim">
                  {record.reason}
                  {record.reason_code ? ` ${record.reason_code}` : ''}
                </code>
              </>
            )}
          </p>
        </Notice>
      )}
      {record.restriction && <Notice tone="amber">{explainRestriction(record.restriction, now)}</Notice>}
    </>
  )
}

function Verbs({ record }: { record: FleetSession }) {
  const { data } = useQuery(me)
  const look = useLook()
  const queries = useQueryClient()
  const act = useMutation({
    mutationFn: (verb: 'start' | 'stop' | 'restart') => {
      const paths = { start: '/v1/sessions/{id}/start', stop: '/v1/sessions/{id}/stop', restart: '/v1/sessions/{id}/restart' } as const
      return api.POST(paths[verb], { params: { path: { id: record.id } }, headers: onBehalf(record.tenant) })
    },
    onSuccess: (_, verb) => {
      void queries.invalidateQueries({ queryKey: session(record.id).queryKey })
      if (verb === 'stop') toast({ text: t('session.stopped', { name: record.label }), undo: () => act.mutate('start') })
    },
    onError: (error) => toast({ text: causeOf(error), tone: 'red' }),
  })
  if (!may(data?.operator.role, 'support') || look?.tenant === record.tenant) return null
  const runs = record.status !== 'stopped'
  return (
    <Buttons>
      {!runs || ['parked', 'logged_out', 'quarantined'].includes(record.status) ? (
        <Button icon={IconPlayerPlay} look="main" busy={act.isPending} onClick={() => act.mutate('start')}>
          {t('session.start')}
        </Button>
      ) : (
        <Button icon={IconRefresh} busy={act.isPending} onClick={() => act.mutate('restart')}>
          {t('session.restart')}
        </Button>
      )}
      {runs && (
        <Button icon={IconPlayerStop} busy={act.isPending} onClick={() => act.mutate('stop')}>
          {t('session.stop')}
        </Button>
      )}
    </Buttons>
  )
}
