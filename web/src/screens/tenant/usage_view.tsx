import { IconDownload } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { api, got } from '../../api/client'
import { reading } from '../../api/look'
import type { TenantRecord } from '../../api/records'
import { usage } from '../../api/tenants'
import { Button } from '../../pieces/button'
import { causeOf, ErrorCard } from '../../pieces/error_card'
import { LimitBar } from '../../pieces/limit_bar'
import { save } from '../../pieces/save'
import { Columns, Section } from '../../pieces/section'
import { Skeleton } from '../../pieces/skeleton'
import { toast } from '../../pieces/toast'
import { number } from '../../words/amounts'
import { t } from '../../words/speak'
import { firstDay, lastDay } from '../../words/times'
import css from './tenant.module.css'

/** What of the plan is used up. */
export function UsageView({ tenant }: { tenant: TenantRecord }) {
  const { data, error, refetch } = useQuery(usage(tenant.id))
  return (
    <Columns>
      <Section
        title={t('tenant.usage')}
        note={data && t('usage.period', { start: firstDay(data.period.start), end: lastDay(data.period.end) })}
      >
        {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
        {!error && !data && <Skeleton lines={6} />}
        {data && (
          <div className={css.bars}>
            <LimitBar label={t('usage.messages')} used={data.messages.used} held={data.messages.held} limit={data.messages.limit} />
            <LimitBar label={t('usage.sessions')} used={data.sessions.used} limit={data.sessions.limit} />
            {data.minute.limit !== null && data.minute.limit !== undefined && (
              <LimitBar label={t('usage.minute')} used={data.minute.attempts} limit={data.minute.limit} />
            )}
            <LimitBar label={t('webhooks.title')} used={data.webhooks.used} limit={data.webhooks.limit} />
            <LimitBar label={t('plan.seats')} used={data.seats.used} limit={data.seats.limit} />
          </div>
        )}
      </Section>
      <Days tenant={tenant} />
    </Columns>
  )
}

interface Sum {
  day: string
  sent: number
  received: number
  failed: number
}

const shown = 30

/** The last thirty days, all sessions together. */
function Days({ tenant }: { tenant: TenantRecord }) {
  // By the server's days, which may be a day ahead of these or behind: what is too much falls off below.
  const from = new Date(Date.now() - shown * 86_400_000).toISOString().slice(0, 10)
  const { data, error, refetch } = useQuery({
    queryKey: ['days', tenant.id, from],
    queryFn: async ({ signal }) => {
      // As lines there is no page: a tenant with many sessions has many rows a day.
      const lines = await read(tenant.id, { from }, 'application/x-ndjson', signal)
      return (await lines.text())
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Sum)
    },
  })
  const days = sumOf(data ?? []).slice(-shown)
  const [first, last] = [days[0]?.day ?? from, days.at(-1)?.day ?? from]
  const fetched = useMutation({
    mutationFn: () => read(tenant.id, { from: first, to: last }, 'text/csv'),
    onSuccess: (table) => save(`${tenant.name} usage ${first} to ${last}.csv`, table),
    onError: (problem) => toast({ text: causeOf(problem), tone: 'red' }),
  })
  const most = Math.max(1, ...days.map((one) => one.sent + one.failed))
  return (
    <Section
      title={t('usage.days')}
      note={t('usage.days.note')}
      actions={
        days.length > 0 && (
          <Button icon={IconDownload} look="quiet" busy={fetched.isPending} aria-label={t('usage.csv')} onClick={() => fetched.mutate()}>
            CSV
          </Button>
        )
      }
    >
      {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
      {!error && !data && <Skeleton lines={4} height={140} />}
      {data && days.length === 0 && <p className="dim">{t('usage.days.none')}</p>}
      {days.length > 0 && (
        <>
          <div className={css.days} role="img" aria-label={t('usage.days')}>
            {days.map((one) => (
              <div
                key={one.day}
                data-tip={`${firstDay(one.day)}\n${t('usage.day', { sent: number(one.sent), failed: number(one.failed), received: number(one.received) })}`}
              >
                <i data-failed style={{ height: `${(one.failed / most) * 100}%` }} />
                <i style={{ height: `${(one.sent / most) * 100}%` }} />
              </div>
            ))}
          </div>
          <div className={`${css.dates} small dim`}>
            <bdi>{firstDay(first)}</bdi>
            {days.length > 1 && <bdi>{firstDay(last)}</bdi>}
          </div>
        </>
      )}
    </Section>
  )
}

/** Rows by day and session, all at once. */
async function read(
  tenant: string,
  query: { from: string; to?: string },
  Accept: 'text/csv' | 'application/x-ndjson',
  signal?: AbortSignal,
): Promise<Blob> {
  const call = { params: { query }, headers: { ...reading(tenant), Accept }, parseAs: 'blob' as const, signal }
  return (await got(api.GET('/v1/usage/days', call))) as Blob
}

function sumOf(rows: Sum[]): Sum[] {
  const days = new Map<string, Sum>()
  for (const row of rows) {
    const sum = days.get(row.day) ?? { day: row.day, sent: 0, received: 0, failed: 0 }
    days.set(row.day, {
      day: row.day,
      sent: sum.sent + row.sent,
      received: sum.received + row.received,
      failed: sum.failed + row.failed,
    })
  }
  return [...days.values()].toSorted((a, b) => (a.day < b.day ? -1 : 1))
}
