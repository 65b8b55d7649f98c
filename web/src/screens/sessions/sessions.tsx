import { IconPlus } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { may, me } from '../../api/door'
import { readSessions, session, sessionsKey } from '../../api/fleet'
import { useLook } from '../../api/look'
import { usePaged, withRow } from '../../api/paged'
import type { FleetQuery, FleetSession } from '../../api/records'
import { useGathered } from '../../feed/gathered'
import { useFeed } from '../../feed/use_feed'
import { usePlace } from '../../frame/place'
import { Button } from '../../pieces/button'
import { chosen as chosenOf, useChoice } from '../../pieces/columns'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { Choice, Filters, Search, useFilters } from '../../pieces/filters'
import { ListTools } from '../../pieces/list_tools'
import { NewPill } from '../../pieces/new_pill'
import { Badge, sessionStates, StatePill } from '../../pieces/pill'
import { Heading } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Table, type Column } from '../../pieces/table'
import { number } from '../../words/amounts'
import { said, t } from '../../words/speak'
import { Bulk } from './bulk'
import { NewSession } from './new_session'

type Wanted = Omit<FleetQuery, 'restricted'> & { restricted?: string }

/** Every session of the fleet. `tenant` narrows it to one, within that tenant's screen. */
export default function Sessions() {
  usePlace({ label: t('sessions.title') })
  return (
    <>
      <Heading title={t('sessions.title')} />
      <SessionList />
    </>
  )
}

export function SessionList({ tenant }: { tenant?: string }) {
  const { data: self } = useQuery(me)
  const look = useLook()
  const [making, setMaking] = useState(false)
  const [wanted, want] = useFilters<Wanted>()
  const [chosen, setChosen] = useState(new Set<string>())
  const [fresh, setFresh] = useState(new Set<string>())
  const queries = useQueryClient()
  const query: FleetQuery = {
    ...(tenant ? { tenant } : wanted.tenant ? { tenant: wanted.tenant } : {}),
    ...(wanted.status && { status: wanted.status }),
    ...(wanted.reason && { reason: wanted.reason }),
    ...(wanted.engine && { engine: wanted.engine }),
    ...(wanted.q && { q: wanted.q }),
    ...(wanted.restricted && { restricted: true }),
    sort: wanted.sort ?? 'since',
    order: wanted.order ?? 'desc',
  }
  const list = usePaged(sessionsKey(query), (cursor, signal) => readSessions(query, cursor, signal))

  // What is shown is renewed in its place; what is new waits behind the pill.
  const renew = useGathered(500, (ids) => {
    const shown = new Set(list.rows?.map((row) => row.id))
    const missing = [...ids].filter((id) => !shown.has(id))
    if (missing.length > 0) setFresh((before) => new Set([...before, ...missing]))
    for (const id of [...ids].filter((id) => shown.has(id)).slice(0, 20)) {
      void queries.fetchQuery({ ...session(id), staleTime: 0 }).then(
        (row) => {
          queries.setQueryData(sessionsKey(query), (pages: Parameters<typeof withRow<FleetSession>>[0]) =>
            withRow(pages, (other) => other.id === id, row),
          )
        },
        () => {},
      )
    }
  })
  const again = () => {
    setFresh(new Set())
    list.retry()
  }
  useFeed(
    'fleet',
    (event) => {
      if (event.e === 'session' && event.s && (!tenant || event.n === tenant)) renew.add(event.s)
    },
    again,
  )

  const all = columns().filter((column) => !(tenant && column.key === 'tenant'))
  const choice = useChoice('sessions')
  const filtered = ['status', 'reason', 'engine', 'q', 'restricted', ...(tenant ? [] : ['tenant'])].some(
    (key) => wanted[key as keyof Wanted],
  )
  // Which tenant's it would be is known within its own screen only.
  const makes = tenant !== undefined && look?.tenant !== tenant && may(self?.operator.role, 'admin')
  const clear = () =>
    want({ status: undefined, reason: undefined, engine: undefined, q: undefined, restricted: undefined, tenant: undefined })
  return (
    <>
      <Filters set={filtered} onClear={clear} tools={<ListTools list="sessions" columns={all} within={tenant !== undefined} />}>
        <Search label={t('sessions.search')} value={wanted.q} onChange={(q) => want({ q })} />
        <Choice
          label={t('filter.status')}
          value={wanted.status}
          options={sessionStates.map((status) => ({ value: status, label: said(`status.${status}`) }))}
          onChange={(status) => want({ status: status as Wanted['status'] })}
        />
        <Choice
          label={t('filter.reason')}
          value={wanted.reason}
          options={reasons.map((reason) => ({ value: reason, label: said(`session.reason.${reason}`) }))}
          onChange={(reason) => want({ reason: reason as Wanted['reason'] })}
        />
        <Choice
          label={t('filter.engine')}
          value={wanted.engine}
          options={['sandbox', 'native', 'baileys'].map((engine) => ({ value: engine, label: engine }))}
          onChange={(engine) => want({ engine: engine as Wanted['engine'] })}
        />
        <Choice
          label={t('filter.restriction')}
          value={wanted.restricted}
          options={[{ value: '1', label: t('sessions.restricted') }]}
          onChange={(restricted) => want({ restricted })}
        />
        {makes && (
          <Button icon={IconPlus} onClick={() => setMaking(true)}>
            {t('sessions.new')}
          </Button>
        )}
      </Filters>
      {list.error && <ErrorCard error={list.error} retry={list.retry} />}
      <NewPill count={fresh.size} onShow={again} />
      {(!list.error || list.rows) && (
        <Table
          label={t('sessions.title')}
          columns={chosenOf(all, choice)}
          rows={list.rows}
          keyOf={(row) => row.id}
          to={(row) => ({ to: '/sessions/$session', params: { session: row.id } })}
          sort={{
            by: query.sort,
            order: query.order ?? 'desc',
            change: (sort, order) => want({ sort: sort as Wanted['sort'], order }),
          }}
          chosen={{ keys: chosen, change: setChosen }}
          more={list.more}
          empty={
            filtered ? (
              <Empty text={t('sessions.none')} />
            ) : (
              <Empty text={t('sessions.empty')} line='columba session create "Front desk" --tenant TENANT' />
            )
          }
        />
      )}
      {making && tenant && <NewSession tenant={tenant} onClose={() => setMaking(false)} />}
      {chosen.size > 0 && <Bulk sessions={list.rows?.filter((row) => chosen.has(row.id)) ?? []} onDone={() => setChosen(new Set())} />}
    </>
  )
}

const reasons = [
  'transport_lost', 'server_unavailable', 'probe_failed', 'throttled', 'replaced', 'banned', 'client_outdated', 'device_removed',
  'pairing_timeout', 'requested', 'tenant_suspended', 'crashed', 'crash_loop', 'store_unavailable', 'malformed', 'unknown',
] // prettier-ignore

// Made when drawn: heads are words, and those change with the language.
const columns = (): Column<FleetSession>[] => [
  { key: 'label', text: true, head: t('sessions.label'), width: 'minmax(9rem, 1.4fr)', sort: 'label', cell: (row) => row.label },
  {
    key: 'tenant',
    text: true,
    head: t('sessions.tenant'),
    width: 'minmax(7rem, 1fr)',
    sort: 'tenant',
    cell: (row) => row.tenant_name ?? '–',
    narrow: 'below',
  },
  {
    key: 'status',
    head: t('sessions.status'),
    width: '8.4rem',
    sort: 'status',
    cell: (row) => <StatePill status={row.status} />,
    narrow: 'aside',
  },
  {
    key: 'reason',
    head: t('sessions.reason'),
    width: 'minmax(7rem, 1fr)',
    cell: (row) =>
      row.restriction ? (
        <Badge tone="violet">{said(`restriction.short.${row.restriction.kind}`)}</Badge>
      ) : row.reason ? (
        <span className="dim">{said(`session.reason.${row.reason}`)}</span>
      ) : null,
    narrow: 'hide',
  },
  { key: 'since', head: t('sessions.since'), width: '6.6rem', sort: 'since', cell: (row) => <Since at={row.since} />, narrow: 'below' },
  {
    key: 'queued',
    head: t('sessions.queued'),
    width: '5rem',
    sort: 'queued',
    end: true,
    cell: (row) => number(row.queued),
    narrow: 'hide',
  },
  {
    key: 'active',
    spare: true,
    head: t('sessions.active'),
    width: '6.6rem',
    cell: (row) => (
      <span className="dim">
        <Since at={row.last_activity_at} />
      </span>
    ),
    narrow: 'hide',
  },
  {
    key: 'engine',
    spare: true,
    head: t('sessions.engine'),
    width: '6.2rem',
    cell: (row) => (
      <span className="dim" data-tip={row.release ?? undefined}>
        {row.engine}
      </span>
    ),
    narrow: 'hide',
  },
]
