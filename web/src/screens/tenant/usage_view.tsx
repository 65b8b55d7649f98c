import { useQuery } from '@tanstack/react-query'
import { api, got } from '../../api/client'
import { reading } from '../../api/look'
import type { TenantRecord } from '../../api/records'
import { usage } from '../../api/tenants'
import { ErrorCard } from '../../pieces/error_card'
import { LimitBar } from '../../pieces/limit_bar'
import { Columns, Section } from '../../pieces/section'
import { Skeleton } from '../../pieces/skeleton'
import { number } from '../../words/amounts'
import { t } from '../../words/speak'
import { day } from '../../words/times'
import css from './tenant.module.css'

/** What of the plan is used up. */
export function UsageView({ tenant }: { tenant: TenantRecord }) {
  const { data, error, refetch } = useQuery(usage(tenant.id))
  return (
    <Columns>
      <Section title={t('tenant.usage')} note={data && t('usage.period', { start: day(data.period.start), end: day(data.period.end) })}>
        {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
        {!error && !data && <Skeleton lines={6} />}
        {data && (
          <div className={css.bars}>
            <LimitBar label={t('usage.messages')} used={data.messages.used} held={data.messages.held} limit={data.messages.limit} />
            <LimitBar label={t('usage.sessions')} used={data.sessions.used} limit={data.sessions.limit} />
            {data.minute.limit !== null && data.minute.limit !== undefined && (
              <LimitBar label={t('usage.minute')} used={data.minute.attempts} limit={data.minute.limit} />
            )}
          </div>
        )}
      </Section>
      <Days tenant={tenant.id} />
    </Columns>
  )
}

interface Sum {
  day: string
  sent: number
  received: number
  failed: number
}

/** The last thirty days, all sessions together. */
function Days({ tenant }: { tenant: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['days', tenant],
    queryFn: async ({ signal }) => {
      const page = await got(api.GET('/v1/usage/days', { params: { query: { limit: 200 } }, headers: reading(tenant), signal }))
      // The description also knows it as text of a spreadsheet.
      return page as { data: Sum[] }
    },
  })
  const days = sumOf(data?.data ?? []).slice(-30)
  const most = Math.max(1, ...days.map((one) => one.sent + one.failed))
  return (
    <Section title={t('usage.days')} note={t('usage.days.note')}>
      {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
      {!error && !data && <Skeleton lines={4} height={140} />}
      {data && days.length === 0 && <p className="dim">{t('usage.days.none')}</p>}
      {days.length > 0 && (
        <>
          <div className={css.days} role="img" aria-label={t('usage.days')}>
            {days.map((one) => (
              <div
                key={one.day}
                data-tip={`${day(one.day)}\n${t('usage.day', { sent: number(one.sent), failed: number(one.failed), received: number(one.received) })}`}
              >
                <i data-failed style={{ height: `${(one.failed / most) * 100}%` }} />
                <i style={{ height: `${(one.sent / most) * 100}%` }} />
              </div>
            ))}
          </div>
          <div className={`${css.dates} small dim`}>
            <bdi>{day(days[0]?.day ?? '')}</bdi>
            {days.length > 1 && <bdi>{day(days.at(-1)?.day ?? '')}</bdi>}
          </div>
        </>
      )}
    </Section>
  )
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
