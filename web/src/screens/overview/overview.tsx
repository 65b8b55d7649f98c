// Is the fleet well, what is wrong, who does it hurt: six numbers, the incidents, a day of states, and who has most trouble.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import { overview } from '../../api/fleet'
import type { Overview as Record } from '../../api/records'
import { useGathered } from '../../feed/gathered'
import { useFeed } from '../../feed/use_feed'
import { usePlace } from '../../frame/place'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { Figure, Figures } from '../../pieces/figure'
import { Columns, Section } from '../../pieces/section'
import { Skeleton } from '../../pieces/skeleton'
import { Stacked } from '../../pieces/stacked'
import { brief, duration, number, percent, unknown } from '../../words/amounts'
import { t } from '../../words/speak'
import { Incidents } from './incidents'
import css from './overview.module.css'

export default function Overview() {
  usePlace({ label: t('overview.title') })
  const queries = useQueryClient()
  const { data, error, refetch } = useQuery(overview)
  const renew = useGathered(1_000, () => void queries.invalidateQueries({ queryKey: overview.queryKey }))
  useFeed(
    'fleet',
    () => renew.add('all'),
    () => renew.add('all'),
  )

  if (error && !data) return <ErrorCard error={error} retry={() => void refetch()} />
  if (!data) return <Loading />
  if (data.tenants.total === 0) {
    return (
      <Section>
        <Empty text={t('overview.empty')} line="columba tenant create Acme --plan quickstart">
          <Link to="/tenants" search={{ new: '1' }}>
            {t('tenants.new')}
          </Link>
        </Empty>
      </Section>
    )
  }
  return (
    <>
      <h1 className="unseen">{t('overview.title')}</h1>
      {error && <ErrorCard error={error} retry={() => void refetch()} />}
      <Numbers record={data} />
      <Columns wide>
        <div>
          <Section title={t('overview.incidents')} note={data.incidents.length > 0 ? t('overview.newest') : undefined} flush>
            <Incidents incidents={data.incidents} />
          </Section>
          <Section title={t('overview.day')}>
            {data.sessions.history.length > 1 ? (
              <Stacked points={data.sessions.history} label={t('overview.day')} />
            ) : (
              <p className="dim">{t('overview.day.none')}</p>
            )}
          </Section>
        </div>
        <div>
          <Section title={t('overview.trouble')} note={t('overview.trouble.note')} flush>
            <Trouble record={data} />
          </Section>
          <Section title={t('overview.releases')} flush>
            <ul className={css.rows}>
              {data.transports.map((release) => (
                <li key={`${release.engine} ${release.release}`}>
                  <Link to="/sessions" search={{ engine: release.engine }}>
                    {release.engine}
                  </Link>
                  <code className="dim">{release.release || t('overview.builtin')}</code>
                  <span className={css.end}>{t('count.sessions', { count: release.sessions })}</span>
                </li>
              ))}
            </ul>
          </Section>
        </div>
      </Columns>
    </>
  )
}

function Numbers({ record }: { record: Record }) {
  const { sessions, messages, webhooks } = record
  const connected = sessions.by_status.connected ?? 0
  const ruled = Object.entries(messages.held_by_rule).toSorted(([, a], [, b]) => b - a)[0]
  const to = (to: string, search: object = {}) => ({ to, search }) as unknown as LinkProps
  return (
    <Figures>
      <Figure
        label={t('overview.connected')}
        value={
          <>
            {number(connected)} <small>{t('overview.of', { total: number(sessions.total) })}</small>
          </>
        }
        note={sessions.restricted ? t('overview.restricted', { count: sessions.restricted }) : undefined}
        history={sessions.history.slice(-48).map((point) => point.by_status.connected ?? 0)}
        to={to('/sessions')}
      />
      <Figure
        label={t('overview.per_minute')}
        value={brief(messages.per_minute)}
        history={messages.per_minute_history}
        to={to('/messages', { direction: 'out' })}
      />
      <Figure
        label={t('overview.latency')}
        value={messages.accept_to_sent_p95_ms === null ? unknown : duration(messages.accept_to_sent_p95_ms)}
        note={t('overview.p95')}
        to={to('/messages', { status: 'sent' })}
      />
      <Figure label={t('overview.queued')} value={brief(messages.queued)} to={to('/messages', { status: 'queued' })} />
      <Figure
        label={t('overview.held')}
        value={brief(messages.held)}
        note={ruled && ruled[1] > 0 ? t('overview.mostly', { rule: ruleOf(ruled[0]) }) : undefined}
        to={to('/messages', { status: 'held' })}
      />
      <Figure
        label={t('overview.webhooks')}
        value={
          webhooks.failed_1h === null ? (
            unknown
          ) : (
            <>
              {brief(webhooks.failed_1h)} {webhooks.attempts_1h ? <small>{percent(webhooks.failed_1h, webhooks.attempts_1h)}</small> : null}
            </>
          )
        }
        note={webhooks.disabled ? t('overview.disabled', { count: webhooks.disabled }) : t('overview.hour')}
        tone={webhooks.disabled ? 'amber' : undefined}
        to={to('/webhooks', { state: 'failing' })}
      />
    </Figures>
  )
}

function ruleOf(rule: string): string {
  return t(`rule.${rule}` as 'rule.timelock')
}

function Trouble({ record }: { record: Record }) {
  if (record.trouble.length === 0) return <p className={css.calm}>{t('overview.trouble.none')}</p>
  return (
    <ul className={css.rows}>
      {record.trouble.map((one) => {
        const words = [
          one.logged_out > 0 && t('trouble.logged_out', { count: one.logged_out }),
          one.restricted > 0 && t('trouble.restricted', { count: one.restricted }),
          one.failed_messages > 0 && t('trouble.failed', { count: one.failed_messages }),
          one.failing_webhooks > 0 && t('trouble.webhooks', { count: one.failing_webhooks }),
        ].filter(Boolean)
        return (
          <li key={one.tenant}>
            <Link to="/tenants/$tenant" params={{ tenant: one.tenant }} className={css.name}>
              {one.name}
            </Link>
            <span className="small dim">{words.join(' · ')}</span>
          </li>
        )
      })}
    </ul>
  )
}

function Loading() {
  return (
    <div aria-busy="true">
      <Figures>
        {Array.from({ length: 6 }, (_, at) => (
          <div key={at} className={css.bone}>
            <Skeleton lines={2} />
          </div>
        ))}
      </Figures>
      <Columns wide>
        <Section>
          <Skeleton lines={5} height={180} />
        </Section>
        <Section>
          <Skeleton lines={5} height={180} />
        </Section>
      </Columns>
      <Section>
        <Skeleton lines={3} height={190} />
      </Section>
    </div>
  )
}
