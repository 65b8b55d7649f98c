// A plan's limits. What binds at once and what from the next period on stands beside them.

import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { plans } from '../../api/tenants'
import { AmountInput } from '../../pieces/amount_input'
import { NativeSelect, NumberInput, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Raw } from '../../pieces/raw'
import { Record } from '../../pieces/record'
import { Fact, Facts } from '../../pieces/section'
import { toast } from '../../pieces/toast'
import { money, number } from '../../words/amounts'
import { said, t, type Key } from '../../words/speak'
import type { Plan } from './plans'

type Draft = Omit<Plan, 'price_minor' | 'first_contacts_per_day' | 'messages_per_minute_tenant' | 'overage_minor'> & {
  price_minor: number | null
  first_contacts_per_day: number | null
  messages_per_minute_tenant: number | null
  overage_minor: number | null
}

const fresh: Draft = {
  code: '',
  name: '',
  price_minor: 0,
  currency: 'EUR',
  interval: 'month',
  messages_per_minute: 20,
  messages_per_minute_tenant: null,
  messages_per_month: 10_000,
  quota: 'hard',
  queue_max: 10_000,
  sessions_max: 3,
  pacing: 'human',
  overage_minor: null,
  overage_tiers: [],
  retention_days: 90,
  plugins: [],
  trial_days: 0,
  suspended_inbound: 'park',
  media_bytes_max: 16_777_216,
  media_bytes_total: 1_073_741_824,
  first_contacts_per_day: 40,
}

type Numeric =
  | 'messages_per_minute'
  | 'messages_per_minute_tenant'
  | 'messages_per_month'
  | 'queue_max'
  | 'sessions_max'
  | 'retention_days'
  | 'trial_days'
  | 'first_contacts_per_day'

const limits: { field: Numeric; label: Key; optional?: true }[] = [
  { field: 'messages_per_minute', label: 'plan.per_minute' },
  { field: 'messages_per_minute_tenant', label: 'plan.per_minute_tenant', optional: true },
  { field: 'messages_per_month', label: 'plan.per_month' },
  { field: 'sessions_max', label: 'plan.sessions' },
  { field: 'queue_max', label: 'plan.queue' },
  { field: 'first_contacts_per_day', label: 'plan.strangers', optional: true },
  { field: 'retention_days', label: 'plan.retention' },
  { field: 'trial_days', label: 'plan.trial' },
]

export function PlanEditor({ plan, editable, onClose }: { plan: Plan | undefined; editable: boolean; onClose: () => void }) {
  const [draft, setDraft] = useState<Draft>(plan ? { ...(plan as Draft) } : fresh)
  const queries = useQueryClient()
  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }))
  const { code, overage_tiers, overage_minor, ...rest } = draft
  // Tiers and a flat price exclude each other; what has tiers keeps them.
  const body = { ...rest, ...(overage_tiers.length > 0 ? { overage_tiers } : overage_minor !== null && { overage_minor }) }
  return (
    <Record title={plan ? plan.name : t('plans.new')} lead={plan && <code className="small dim">{plan.code}</code>} onClose={onClose}>
      {!editable && plan && <Shown plan={plan} />}
      {editable && (
        <Form
          act={plan ? t('do.save') : t('plans.new.act')}
          send={() =>
            guarded(() =>
              plan
                ? got(api.PUT('/v1/admin/plans/{id}', { params: { path: { id: plan.code } }, body: body as never }))
                : got(api.POST('/v1/admin/plans', { body: { code, ...body } as never })),
            )
          }
          onSent={() => {
            void queries.invalidateQueries({ queryKey: plans.queryKey })
            toast({ text: t('do.saved') })
            onClose()
          }}
        >
          {(errorOf) => (
            <>
              {!plan && (
                <TextInput
                  label={t('plans.code')}
                  description={t('plan.code.note')}
                  value={code}
                  onChange={(event) => set({ code: event.currentTarget.value })}
                  error={errorOf('code')}
                  required
                  autoFocus
                />
              )}
              <TextInput
                label={t('plans.name')}
                value={draft.name}
                onChange={(event) => set({ name: event.currentTarget.value })}
                error={errorOf('name')}
                required
              />
              <AmountInput
                label={t('plan.price', { currency: draft.currency })}
                description={t('plan.next_period')}
                currency={draft.currency}
                minor={draft.price_minor}
                onChange={(price_minor) => set({ price_minor })}
                least={0}
                error={errorOf('price_minor')}
              />
              {!plan && (
                <TextInput
                  label={t('plan.currency')}
                  value={draft.currency}
                  onChange={(event) => set({ currency: event.currentTarget.value.toUpperCase() })}
                  error={errorOf('currency')}
                  maxLength={3}
                  required
                />
              )}
              <NativeSelect
                label={t('plan.interval')}
                value={draft.interval}
                onChange={(event) => set({ interval: event.currentTarget.value as Draft['interval'] })}
                error={errorOf('interval')}
                data={['month', 'year'].map((value) => ({ value, label: said(`interval.${value}`) }))}
              />
              {limits.map(({ field, label, optional }) => (
                <NumberInput
                  key={field}
                  label={t(label)}
                  description={
                    field === 'messages_per_month' ? t('plan.next_period') : field === 'messages_per_minute' ? t('plan.at_once') : undefined
                  }
                  placeholder={optional ? t('plan.none') : undefined}
                  value={draft[field] ?? ''}
                  onChange={(value) => set({ [field]: value === '' ? (optional ? null : 0) : Number(value) })}
                  error={errorOf(field)}
                  min={0}
                  allowDecimal={false}
                  hideControls
                  required={!optional}
                />
              ))}
              <NativeSelect
                label={t('plans.beyond')}
                value={draft.quota}
                onChange={(event) => set({ quota: event.currentTarget.value as Draft['quota'] })}
                error={errorOf('quota')}
                data={[
                  { value: 'hard', label: t('plan.hard') },
                  { value: 'soft', label: t('plan.soft') },
                ]}
              />
              {draft.quota === 'soft' && overage_tiers.length === 0 && (
                <NumberInput
                  label={t('plan.overage')}
                  value={overage_minor ?? ''}
                  onChange={(value) => set({ overage_minor: value === '' ? null : Number(value) })}
                  error={errorOf('overage_minor')}
                  min={0}
                  allowDecimal={false}
                  hideControls
                />
              )}
              <NativeSelect
                label={t('plan.pacing')}
                value={draft.pacing}
                onChange={(event) => set({ pacing: event.currentTarget.value as Draft['pacing'] })}
                error={errorOf('pacing')}
                data={[
                  { value: 'human', label: t('plan.pacing.human') },
                  { value: 'none', label: t('plan.pacing.none') },
                ]}
              />
            </>
          )}
        </Form>
      )}
      {plan && (
        <>
          <h3>{t('record.raw')}</h3>
          <Raw value={plan} />
        </>
      )}
    </Record>
  )
}

function Shown({ plan }: { plan: Plan }) {
  return (
    <Facts>
      <Fact name={t('plans.price')}>
        {money(plan.price_minor, plan.currency)} {said(`interval.${plan.interval}`)}
      </Fact>
      {limits.map(({ field, label }) => (
        <Fact key={field} name={t(label)}>
          {plan[field] === null ? t('plan.none') : number(plan[field] as number)}
        </Fact>
      ))}
    </Facts>
  )
}
