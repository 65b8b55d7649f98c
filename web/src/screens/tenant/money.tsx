import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, got } from '../../api/client'
import { may, me } from '../../api/door'
import { usePaged } from '../../api/paged'
import type { TenantRecord } from '../../api/records'
import { credits, plans, subscription, tenant as tenantQuery } from '../../api/tenants'
import { Button, Buttons } from '../../pieces/button'
import { Dialog } from '../../pieces/dialog'
import { ErrorCard } from '../../pieces/error_card'
import { NativeSelect } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { shorten } from '../../pieces/id_chip'
import { Pill } from '../../pieces/pill'
import { PlainTable } from '../../pieces/plain_table'
import { Columns, Fact, Facts, Section } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { toast } from '../../pieces/toast'
import { money } from '../../words/amounts'
import { said, t } from '../../words/speak'
import { day } from '../../words/times'
import { Adjust, type Kind } from './adjust'

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
                <Button onClick={() => setChanging(true)}>{t('money.change')}</Button>
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
              <Fact name={t('money.month')}>
                {day(data.month.start)} – {day(data.month.end)}
              </Fact>
              {data.next_plan && <Fact name={t('money.next')}>{data.next_plan}</Fact>}
              {data.ends && <Fact name={t('money.ends')}>{day(data.charged?.term.end ?? data.month.end)}</Fact>}
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
        <Profile tenant={tenant.id} />
      </Columns>
      <Ledger tenant={tenant.id} />
      {adjusting && data && (
        <Adjust
          kind={adjusting}
          tenant={tenant}
          currencies={[...new Set([data.deal.currency, ...data.balances.map(({ currency }) => currency)])]}
          onClose={() => setAdjusting(null)}
        />
      )}
      {changing && data && <ChangePlan tenant={tenant} now={data.deal.plan} onClose={() => setChanging(false)} />}
    </>
  )
}

function Profile({ tenant }: { tenant: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['profile', tenant],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/tenants/{id}/billing-profile', { params: { path: { id: tenant } }, signal })),
  })
  return (
    <Section title={t('money.profile')}>
      {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
      {!error && !data && <Skeleton lines={4} />}
      {data && (
        <Facts>
          <Fact name={t('money.name')}>{data.party.name || '–'}</Fact>
          <Fact name={t('money.address')}>{data.party.address.join(', ') || '–'}</Fact>
          <Fact name={t('money.tax_id')}>{data.party.tax_id ?? '–'}</Fact>
          <Fact name={t('money.email')}>{data.party.email ?? '–'}</Fact>
        </Facts>
      )}
    </Section>
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

/** Another plan, with what it costs before anything is agreed. */
function ChangePlan({ tenant, now, onClose }: { tenant: TenantRecord; now: string; onClose: () => void }) {
  const { data } = useQuery(plans)
  const queries = useQueryClient()
  const [plan, setPlan] = useState(now)
  const preview = useQuery({
    queryKey: ['preview', tenant.id, plan],
    queryFn: ({ signal }) =>
      got(
        api.GET('/v1/admin/tenants/{id}/subscription/preview', { params: { path: { id: tenant.id }, query: { plan } as never }, signal }),
      ),
    enabled: plan !== now,
    retry: false,
  })
  return (
    <Dialog title={t('money.change')} onClose={onClose}>
      <Form
        act={t('money.change.act')}
        ready={plan !== now}
        send={() => api.PATCH('/v1/admin/tenants/{id}/subscription', { params: { path: { id: tenant.id } }, body: { plan } })}
        onSent={() => {
          void queries.invalidateQueries({ queryKey: subscription(tenant.id).queryKey })
          void queries.invalidateQueries({ queryKey: tenantQuery(tenant.id).queryKey })
          toast({ text: t('money.changed') })
          onClose()
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <NativeSelect
              label={t('tenants.plan')}
              value={plan}
              onChange={(event) => setPlan(event.currentTarget.value)}
              error={errorOf('plan')}
              data={(data?.data ?? []).map((one) => ({ value: one.code, label: `${one.name}, ${money(one.price_minor, one.currency)}` }))}
            />
            {preview.error && <ErrorCard error={preview.error} />}
            {plan !== now && preview.data && (
              <PlainTable label={t('money.change')}>
                <tbody>
                  {preview.data.lines.map((line) => (
                    <tr key={line.text}>
                      <td>{line.text}</td>
                      <td data-end>{money(line.amount_minor, preview.data.currency)}</td>
                    </tr>
                  ))}
                  <tr>
                    <td>
                      <strong>{t('money.due_now')}</strong>
                    </td>
                    <td data-end>
                      <strong>{money(preview.data.due_minor, preview.data.currency)}</strong>
                    </td>
                  </tr>
                </tbody>
              </PlainTable>
            )}
          </>
        )}
      </Form>
    </Dialog>
  )
}
