import { IconDownload } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { message, readMessages } from '../../api/fleet'
import { usePaged, withRow } from '../../api/paged'
import type { FleetSession, MessageQuery, MessageRecord } from '../../api/records'
import { useGathered } from '../../feed/gathered'
import { useFeed } from '../../feed/use_feed'
import { Button } from '../../pieces/button'
import { chosen, useChoice } from '../../pieces/columns'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { Choice, Day, Filters, Search, useFilters } from '../../pieces/filters'
import { shorten } from '../../pieces/id_chip'
import { ListTools } from '../../pieces/list_tools'
import { NewPill } from '../../pieces/new_pill'
import { Pill } from '../../pieces/pill'
import { save } from '../../pieces/save'
import { Since } from '../../pieces/since'
import { beside, Table, type Column } from '../../pieces/table'
import { has, said, t } from '../../words/speak'
import { csvFile } from './export'
import { MessageDrawer } from './message_drawer'
import { useNewer } from './newer'
import { sought } from './sought'

const statuses = ['queued', 'held', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown', 'expired', 'canceled', 'dead', 'received']

interface Wanted {
  q?: string | undefined
  tenant?: string | undefined
  session?: string | undefined
  status?: MessageQuery['status'] | undefined
  direction?: MessageQuery['direction'] | undefined
  from?: string | undefined
  until?: string | undefined
  open?: string | undefined
}

/** Messages, narrowed to a session or a tenant where they are shown within one. */
export function MessageList({ session, tenant }: { session?: FleetSession; tenant?: string }) {
  const [wanted, want] = useFilters<Wanted>()
  const [fresh, setFresh] = useState(new Set<string>())
  const queries = useQueryClient()
  const query: MessageQuery = {
    ...(session ? { session: session.id } : wanted.session ? { session: wanted.session } : {}),
    ...(tenant ? { tenant } : wanted.tenant ? { tenant: wanted.tenant } : {}),
    ...(wanted.status && { status: wanted.status }),
    ...(wanted.direction && { direction: wanted.direction }),
    ...(wanted.from && { from: `${wanted.from}T00:00:00.000Z` }),
    ...(wanted.until && { until: `${wanted.until}T23:59:59.999Z` }),
    ...sought(wanted.q),
  }
  const key = ['messages', query]
  const scope = session?.tenant ?? tenant ?? null
  const list = usePaged(key, (cursor, signal) => readMessages(query, cursor, signal))

  const renew = useGathered(700, (ids) => {
    const shown = new Set(list.rows?.map((row) => row.id))
    const missing = [...ids].filter((id) => !shown.has(id))
    if (missing.length > 0) setFresh((before) => new Set([...before, ...missing]))
    for (const id of [...ids].filter((id) => shown.has(id)).slice(0, 20)) {
      void queries.fetchQuery({ ...message(id), staleTime: 0 }).then(
        (row) => {
          queries.setQueryData(key, (pages: Parameters<typeof withRow<MessageRecord>>[0]) =>
            withRow(pages, (other) => other.id === id, row),
          )
        },
        () => {},
      )
    }
  })
  const newer = useNewer(query, list.stale ? undefined : list.rows, scope === null)
  const again = () => {
    setFresh(new Set())
    list.retry()
  }
  useFeed(
    scope,
    (event) => {
      if (event.id && (event.e === 'msg' || event.e === 'in') && (!session || event.s === session.id)) renew.add(event.id)
    },
    again,
  )

  const filtered = ['q', 'status', 'direction', 'from', 'until', ...(session ? [] : ['session']), ...(scope ? [] : ['tenant'])].some(
    (name) => wanted[name as keyof Wanted],
  )
  const all = columns(session !== undefined)
  const choice = useChoice('messages')
  const clear = () =>
    want({
      q: undefined,
      status: undefined,
      direction: undefined,
      from: undefined,
      until: undefined,
      session: undefined,
      tenant: undefined,
    })
  return (
    <>
      <Filters set={filtered} onClear={clear} tools={<ListTools list="messages" columns={all} within={scope !== null} />}>
        <Search label={t('messages.search')} value={wanted.q} onChange={(q) => want({ q })} width="19rem" />
        <Choice
          label={t('filter.status')}
          value={wanted.status}
          options={statuses.map((status) => ({ value: status, label: said(`status.${status}`) }))}
          onChange={(status) => want({ status: status as Wanted['status'] })}
        />
        <Choice
          label={t('messages.direction')}
          value={wanted.direction}
          options={['out', 'in', 'own'].map((direction) => ({ value: direction, label: said(`messages.direction.${direction}`) }))}
          onChange={(direction) => want({ direction: direction as Wanted['direction'] })}
        />
        <Day label={t('filter.from')} value={wanted.from} onChange={(from) => want({ from })} />
        <Day label={t('filter.until')} value={wanted.until} onChange={(until) => want({ until })} />
        {list.rows && list.rows.length > 0 && (
          <Button
            icon={IconDownload}
            look="quiet"
            onClick={() => save(`messages-${new Date().toISOString().slice(0, 10)}.csv`, csvFile(list.rows ?? []))}
          >
            {t('messages.export', { count: list.rows.length })}
          </Button>
        )}
      </Filters>
      {list.error && <ErrorCard error={list.error} retry={list.retry} />}
      <NewPill count={fresh.size + newer.count} beyond={newer.beyond} onShow={again} />
      {(!list.error || list.rows) && (
        <Table
          label={t('messages.title')}
          columns={chosen(all, choice)}
          rows={list.rows}
          keyOf={(row) => row.id}
          to={(row) => beside(row.id)}
          open={wanted.open}
          more={list.more}
          empty={
            filtered ? (
              <Empty text={t('messages.none')} />
            ) : (
              <Empty text={t('messages.empty')} line={`columba message send ${session?.id ?? 'SESSION'} --to +15551230001 --text hello`} />
            )
          }
        />
      )}
      {wanted.open && <MessageDrawer key={wanted.open} id={wanted.open} onClose={() => want({ open: undefined })} />}
    </>
  )
}

function summary(row: MessageRecord): string {
  if (row.text) return row.text.body
  return has(`kind.${row.type}`) ? said(`kind.${row.type}`) : row.type
}

const columns = (within: boolean): Column<MessageRecord>[] => [
  {
    key: 'id',
    head: t('messages.id'),
    width: '8.4rem',
    cell: (row) => (
      <span className="mono" dir="ltr" data-tip={row.id}>
        {shorten(row.id)}
      </span>
    ),
  },
  {
    key: 'direction',
    spare: true,
    head: t('messages.direction'),
    width: '5rem',
    cell: (row) => said(`messages.direction.${row.direction}`),
    narrow: 'hide',
  },
  {
    key: 'chat',
    head: t('messages.chat'),
    width: 'minmax(8rem, 1fr)',
    cell: (row) => (
      <span className="mono" dir="ltr">
        {row.chat}
      </span>
    ),
    narrow: 'below',
  },
  {
    key: 'what',
    text: true,
    head: t('messages.what'),
    width: 'minmax(6rem, 1.4fr)',
    cell: (row) => <span className="dim">{summary(row)}</span>,
    narrow: 'hide',
  },
  { key: 'status', head: t('filter.status'), width: '7.6rem', cell: (row) => <Pill status={row.status} />, narrow: 'aside' },
  {
    key: 'reason',
    head: t('sessions.reason'),
    width: within ? '8rem' : '9rem',
    cell: (row) => row.reason && <span className="dim">{said(`rule.${row.reason}`)}</span>,
    narrow: 'hide',
  },
  { key: 'at', head: t('messages.at'), width: '7rem', cell: (row) => <Since at={timeOf(row)} />, narrow: 'below' },
]

/** When it came to us: accepted, or received. */
function timeOf(row: MessageRecord): string | null {
  const times = row.times as Record<string, string | undefined>
  return times['queued'] ?? times['received'] ?? Object.values(times)[0] ?? null
}
