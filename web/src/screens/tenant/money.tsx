import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, got } from '../../api/client'
import { may, me } from '../../api/door'
import { usePaged } from '../../api/paged'
import type { TenantRecord } from '../../api/records'
import { credits, subscription } from '../../api/tenants'
import { Button, Buttons } from '../../pieces/button'
import { ErrorCard } from '../../pieces/error_card'
import { shorten } from '../../pieces/id_chip'
import { Pill } from '../../pieces/pill'
import { PlainTable } from '../../pieces/plain_table'
import { Columns, Fact, Facts, Section } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { money } from '../../words/amounts'
import { said, t } from '../../words/speak'
import { day, firstDay, lastDay } from '../../words/times'
import { Adjust, type Kind } from './adjust'
import { endsOn } from './agreement'
import { ChangePlan, NextPlan } from './change_plan'
import { Ending } from './ending'
import { Profile } from './profile'

/** What was agreed, what is owed, and every entry that led there. */
export function Money({ tenant }: { tenant: TenantRecord }) {
  const { data, error, refetch } = useQuery(subscription(tenant.id))
  const { data: self } = useQuery(me)
  const [changing, setChanging] = useState(false)
  const [adjusting, setAdjusting] = useState<Kind | null>(null)
  const { data: credit } = useQuery(credits(tenant.id))
  const admin = may(self?.operator.role, 'admin')
  return (
    <>
      <Columns>
        <Section
          title={t('money.subscription')}
          actions={
            admin &&
            data && (
              <Buttons>
                {data.status !== 'canceled' && <Button onClick={() => setChanging(true)}>{t('money.change')}</Button>}
                <Button onClick={() => setAdjusting('credit')}>{t('adjust.credit')}</Button>
                <Button onClick={() => setAdjusting('refund')}>{t('adjust.refund')}</Button>
              </Buttons>
            )
          }
        >
          {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
          {!error && !data && <Skeleton lines={5} />}
          {data && (
            <Facts>
              <Fact name={t('filter.status')}>
                <Pill status={data.status} />{' '}
                <span className="small dim">
                  <Since at={data.since} />
                </span>
              </Fact>
              <Fact name={t('tenants.plan')}>
                <bdi>{data.deal.name}</bdi>, {money(data.deal.price_minor, data.deal.currency)} {said(`interval.${data.deal.interval}`)}
              </Fact>
              {data.status === 'trialing' && data.trial_end && <Fact name={t('money.trial_end')}>{day(data.trial_end)}</Fact>}
              <Fact name={t('money.month')}>
                {firstDay(data.month.start)} – {lastDay(data.month.end)}
              </Fact>
              {data.charged && <Fact name={t('money.paid_until')}>{lastDay(data.charged.term.end)}</Fact>}
              {data.next_plan && <NextPlan tenant={tenant.id} subscription={data} plan={data.next_plan} admin={admin} />}
              {data.ends && <Fact name={t('money.ends')}>{endsOn(data)}</Fact>}
              {data.balances.map((balance) => (
                <Fact key={balance.currency} name={balance.owed_minor < 0 ? t('money.credit') : t('money.owed')}>
                  <strong>{money(Math.abs(balance.owed_minor), balance.currency)}</strong>
                </Fact>
              ))}
              {/* In credit beside invoices that are open: the balance alone does not say it. */}
              {Object.entries(credit ?? {})
                .filter(([currency, minor]) => data.balances.some((one) => one.currency === currency && -one.owed_minor < minor))
                .map(([currency, minor]) => (
                  <Fact key={currency} name={t('money.for_next')}>
                    <strong>{money(minor, currency)}</strong>
                  </Fact>
                ))}
            </Facts>
          )}
        </Section>
        <Profile tenant={tenant} admin={admin} />
      </Columns>
      {data && <Ending tenant={tenant} subscription={data} role={self?.operator.role} />}
      <Ledger tenant={tenant.id} />
      {adjusting && data && (
        <Adjust
          kind={adjusting}
          tenant={tenant}
          currencies={[...new Set([data.deal.currency, ...data.balances.map(({ currency }) => currency)])]}
          onClose={() => setAdjusting(null)}
        />
      )}
      {changing && data && <ChangePlan tenant={tenant.id} subscription={data} onClose={() => setChanging(false)} />}
    </>
  )
}

function Ledger({ tenant }: { tenant: string }) {
  const { rows, more, error, retry } = usePaged(['ledger', tenant], (cursor, signal) =>
    got(
      api.GET('/v1/admin/tenants/{id}/ledger', {
        params: { path: { id: tenant }, query: { limit: 50, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  )
  return (
    <Section title={t('money.ledger')} flush>
      {error && !rows && <ErrorCard error={error} retry={retry} />}
      {rows && rows.length === 0 && (
        <p className="dim" style={{ padding: 14 }}>
          {t('money.ledger.none')}
        </p>
      )}
      {rows && rows.length > 0 && (
        <PlainTable label={t('money.ledger')}>
          <thead>
            <tr>
              <th>{t('money.when')}</th>
              <th>{t('money.entry')}</th>
              <th>{t('money.reference')}</th>
              <th>{t('invoices.one')}</th>
              <th data-end>{t('money.amount')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, 200).map((entry) => (
              <tr key={entry.seq}>
                <td>
                  <Since at={entry.at} />
                </td>
                <td>{said(`ledger.${entry.kind}`)}</td>
                <td className="dim">
                  <bdi>{entry.reference}</bdi>
                </td>
                <td>
                  {entry.invoice && (
                    <Link to="." search={{ tab: 'invoices', open: entry.invoice } as never} className="mono">
                      <bdi>{shorten(entry.invoice)}</bdi>
                    </Link>
                  )}
                </td>
                <td data-end>{money(entry.amount_minor, entry.currency)}</td>
              </tr>
            ))}
          </tbody>
        </PlainTable>
      )}
      {more && <Button onClick={more}>{t('list.older')}</Button>}
    </Section>
  )
}
