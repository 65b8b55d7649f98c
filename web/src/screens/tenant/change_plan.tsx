// Another plan: now, or with the next period.

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got } from '../../api/client'
import { Problem } from '../../api/problems'
import { plans } from '../../api/tenants'
import { Button } from '../../pieces/button'
import { Dialog } from '../../pieces/dialog'
import { causeOf, ErrorCard } from '../../pieces/error_card'
import { NativeSelect } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { PlainTable } from '../../pieces/plain_table'
import { Fact, Notice } from '../../pieces/section'
import { toast } from '../../pieces/toast'
import { money, rate } from '../../words/amounts'
import { t } from '../../words/speak'
import { firstDay } from '../../words/times'
import { nextPeriod, renew, type Subscription } from './agreement'

type When = 'now' | 'period_end'

/** The plan that begins with the next period. */
export function NextPlan({
  tenant,
  subscription,
  plan,
  admin,
}: {
  tenant: string
  subscription: Subscription
  plan: string
  admin: boolean
}) {
  const { data } = useQuery(plans)
  const queries = useQueryClient()
  const dropped = useMutation({
    mutationFn: () => api.PATCH('/v1/admin/tenants/{id}/subscription', { params: { path: { id: tenant } }, body: { plan: null } }),
    onSuccess: () => {
      toast({ text: t('money.next.dropped', { plan: subscription.deal.name }) })
      void renew(queries, tenant)
    },
    onError: (problem) => toast({ text: causeOf(problem), tone: 'red' }),
  })
  return (
    <Fact name={t('money.next')}>
      <bdi>{data?.data.find(({ code }) => code === plan)?.name ?? plan}</bdi>,{' '}
      {t('money.next.from', { day: firstDay(nextPeriod(subscription)) })}{' '}
      {admin && (
        <Button busy={dropped.isPending} onClick={() => dropped.mutate()}>
          {t('money.next.drop')}
        </Button>
      )}
    </Fact>
  )
}

/** Chooses one of the plans there are. */
export function PlanInput({ plan, onChange, error }: { plan: string; onChange: (plan: string) => void; error: string | undefined }) {
  const { data } = useQuery(plans)
  return (
    <NativeSelect
      label={t('tenants.plan')}
      value={plan}
      onChange={(event) => onChange(event.currentTarget.value)}
      error={error}
      data={(data?.data ?? []).map((one) => ({ value: one.code, label: `${one.name}, ${money(one.price_minor, one.currency)}` }))}
    />
  )
}

/** Asks which plan and from when, with what it costs before anything is agreed. */
export function ChangePlan({ tenant, subscription, onClose }: { tenant: string; subscription: Subscription; onClose: () => void }) {
  const queries = useQueryClient()
  const now = subscription.deal.plan
  const [plan, setPlan] = useState(now)
  const [chosen, setChosen] = useState<When>('now')
  const { data, error, refetch } = useQuery({
    queryKey: ['preview', tenant, plan],
    queryFn: ({ signal }) =>
      got(api.GET('/v1/admin/tenants/{id}/subscription/preview', { params: { path: { id: tenant }, query: { plan } }, signal })),
    enabled: plan !== now,
    retry: false,
  })
  // What would give money back cannot begin now; nothing is wrong with it.
  const later = error instanceof Problem && error.faults.some(({ pointer }) => pointer === '/when')
  const when = later ? 'period_end' : chosen
  const day = firstDay(nextPeriod(subscription))
  return (
    <Dialog title={t('money.change')} onClose={onClose}>
      <Form
        act={t('money.change.act')}
        ready={plan !== now && (later || data !== undefined)}
        send={() => api.PATCH('/v1/admin/tenants/{id}/subscription', { params: { path: { id: tenant } }, body: { plan, when } })}
        onSent={() => {
          toast({ text: when === 'now' ? t('money.changed') : t('money.planned', { day }) })
          void renew(queries, tenant)
          onClose()
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <PlanInput plan={plan} onChange={setPlan} error={errorOf('plan')} />
            {plan !== now && error && !later && <ErrorCard error={error} retry={() => void refetch()} />}
            {plan !== now && data && !later && (
              <NativeSelect
                label={t('money.change.when')}
                value={chosen}
                onChange={(event) => setChosen(event.currentTarget.value as When)}
                error={errorOf('when')}
                data={(['now', 'period_end'] as const).map((value) => ({ value, label: t(`money.change.${value}`) }))}
              />
            )}
            <div role="status">
              {plan !== now && later && <p>{t('money.change.not_now')}</p>}
              {plan !== now && (later || data) && when === 'period_end' && <p>{t('money.change.later', { day })}</p>}
            </div>
            {plan !== now && data && when === 'now' && (
              <PlainTable label={t('money.change')}>
                <tbody>
                  {data.lines.map((line) => (
                    <tr key={line.text}>
                      <td>{line.text}</td>
                      <td data-end>{money(line.amount_minor, data.currency)}</td>
                    </tr>
                  ))}
                  {data.account && data.account.tax_minor !== 0 && (
                    <tr>
                      <td>{t('invoices.tax', { rate: rate(data.account.tax_rate_bps) })}</td>
                      <td data-end>{money(data.account.tax_minor, data.currency)}</td>
                    </tr>
                  )}
                  <tr>
                    <td>
                      <strong>{t('money.due_now')}</strong>
                    </td>
                    <td data-end>
                      <strong>{money(data.due_minor, data.currency)}</strong>
                    </td>
                  </tr>
                </tbody>
              </PlainTable>
            )}
            {subscription.ends && plan !== now && (later || data) && <Notice>{t(`money.change.ends.${when}`)}</Notice>}
          </>
        )}
      </Form>
    </Dialog>
  )
}
