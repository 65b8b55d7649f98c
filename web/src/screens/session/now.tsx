import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { rateWindow } from '../../api/fleet'
import type { FleetSession, RateWindow } from '../../api/records'
import { ErrorCard } from '../../pieces/error_card'
import { IdChip } from '../../pieces/id_chip'
import { Columns, Fact, Facts, Section } from '../../pieces/section'
import { Skeleton } from '../../pieces/skeleton'
import { Pill } from '../../pieces/pill'
import { Left, Since } from '../../pieces/since'
import { number } from '../../words/amounts'
import { has, said, t } from '../../words/speak'
import css from './session.module.css'
import { TestSend } from './test_send'
import { WindowStrip } from './window_strip'

/** What the session may send now, and what waits. */
export function Now({ record }: { record: FleetSession }) {
  const { data, error, refetch, dataUpdatedAt } = useQuery(rateWindow(record.tenant, record.id))
  return (
    <>
      <Section title={t('window.title')} note={t('window.note')}>
        {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
        {!error && !data && <Skeleton lines={4} height={190} />}
        {data && <WindowStrip record={data} readAt={dataUpdatedAt} />}
      </Section>
      <Columns>
        <Section title={t('queue.title')}>{data ? <Queue window={data} record={record} /> : <Skeleton lines={2} />}</Section>
        <Section title={t('counters.title')}>
          <Facts>
            <Fact name={t('counters.sent')}>{number(record.counters.sent)}</Fact>
            <Fact name={t('counters.received')}>{number(record.counters.received)}</Fact>
            <Fact name={t('counters.failed')}>{number(record.counters.failed)}</Fact>
            <Fact name={t('counters.reconnects')}>{number(record.counters.reconnects)}</Fact>
            <Fact name={t('sessions.active')}>
              <Since at={record.last_activity_at} />
            </Fact>
          </Facts>
        </Section>
      </Columns>
      <TestSend record={record} />
    </>
  )
}

function Queue({ window: { queue }, record }: { window: RateWindow; record: FleetSession }) {
  const { head } = queue
  if (queue.queued + queue.held === 0) return <p className="dim">{t('queue.empty')}</p>
  const why = head?.reason
    ? has(`rule.${head.reason}`)
      ? said(`rule.${head.reason}`)
      : said(`message.why.${head.reason}`, { until: '' })
    : null
  return (
    <Facts>
      <Fact name={t('queue.waits')}>
        <Link to="/messages" search={{ session: record.id, status: 'queued' }}>
          {t('queue.queued', { count: queue.queued })}
        </Link>
        {queue.held > 0 && (
          <>
            {' · '}
            <Link to="/messages" search={{ session: record.id, status: 'held' }}>
              {t('queue.held', { count: queue.held })}
            </Link>
          </>
        )}
      </Fact>
      {head && (
        <Fact name={t('queue.head')}>
          <span className={css.queue}>
            <Pill status={head.status} />
            <IdChip id={head.id} />
          </span>
        </Fact>
      )}
      {head && (why || head.until) && (
        <Fact name={t('queue.why')}>
          {why}{' '}
          {head.until && (
            <span className="dim">
              {t('queue.until')} <Left until={head.until} />
            </span>
          )}
        </Fact>
      )}
    </Facts>
  )
}
