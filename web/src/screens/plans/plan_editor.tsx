// All that a plan says. What binds at once and what from the next period on stands beside it.

import { IconTrash } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { plans } from '../../api/tenants'
import { AmountInput } from '../../pieces/amount_input'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { NativeSelect, TextInput } from '../../pieces/fields'
import { Form, Group } from '../../pieces/form'
import { Raw } from '../../pieces/raw'
import { Record } from '../../pieces/record'
import { toast } from '../../pieces/toast'
import { said, t } from '../../words/speak'
import { bounds, CountInputs, included, trial, type Field } from './counts'
import { bodyOf, overageOf, OverageInputs } from './overage'
import { PlanFacts } from './plan_facts'
import type { Plan } from './plans'

/** A plan while it is written: a number that was cleared is none yet. */
type Draft = Omit<Plan, Field | 'price_minor'> & { [field in Field | 'price_minor']: number | null }

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
  webhooks_max: 8,
  seats_max: null,
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

export function PlanEditor({ plan, editable, onClose }: { plan: Plan | undefined; editable: boolean; onClose: () => void }) {
  const [draft, setDraft] = useState<Draft>(plan ?? fresh)
  const [overage, setOverage] = useState(() => overageOf(draft))
  const [plugins, setPlugins] = useState(draft.plugins.join(' '))
  const queries = useQueryClient()
  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }))
  const { code, ...rest } = draft
  const named = plugins.split(/[\s,]+/).filter(Boolean)
  // Prices that are not shown stay as they were.
  const body = { ...rest, ...(draft.quota === 'soft' && bodyOf(overage)), plugins: named }
  const remove = (plan: Plan) =>
    confirm({
      title: t('plans.delete'),
      reach: t('plans.delete.reach', { name: plan.name }),
      typed: plan.code,
      act: t('plans.delete'),
      danger: true,
      run: async () => {
        await guarded(() => api.DELETE('/v1/admin/plans/{id}', { params: { path: { id: plan.code } } }))
        toast({ text: t('plans.deleted') })
        onClose()
        void queries.invalidateQueries({ queryKey: plans.queryKey })
      },
    })
  return (
    <Record
      title={plan ? plan.name : t('plans.new')}
      lead={plan && <code className="small dim">{plan.code}</code>}
      onClose={onClose}
      actions={
        editable &&
        plan && (
          <Button icon={IconTrash} look="danger" onClick={() => remove(plan)}>
            {t('plans.delete')}
          </Button>
        )
      }
    >
      {!editable && plan && <PlanFacts plan={plan} />}
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
          {(errorOf) => {
            const countsOf = { values: draft, onChange: set, errorOf }
            const unlike = named.flatMap((_, at) => {
              const fault = errorOf(`plugins/${at}`)
              return fault ? [t('plan.plugins.fault', { number: at + 1, fault })] : []
            })
            return (
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
                <Group title={t('plans.price')}>
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
                  <CountInputs counts={trial} {...countsOf} />
                </Group>
                <Group title={t('plan.included')}>
                  <CountInputs counts={included} {...countsOf} />
                  <TextInput
                    label={t('plan.plugins')}
                    description={t('plan.plugins.note')}
                    placeholder={t('plan.plugins.none')}
                    value={plugins}
                    onChange={(event) => setPlugins(event.currentTarget.value)}
                    error={errorOf('plugins') ?? (unlike.join(' ') || undefined)}
                    dir="ltr"
                    autoComplete="off"
                    spellCheck={false}
                  />
                </Group>
                <Group title={t('plans.beyond')}>
                  <NativeSelect
                    label={t('plan.quota')}
                    value={draft.quota}
                    onChange={(event) => set({ quota: event.currentTarget.value as Draft['quota'] })}
                    error={errorOf('quota')}
                    data={(['hard', 'soft'] as const).map((value) => ({ value, label: t(`plan.${value}`) }))}
                  />
                  {draft.quota === 'soft' && (
                    <OverageInputs overage={overage} currency={draft.currency} onChange={setOverage} errorOf={errorOf} />
                  )}
                </Group>
                <Group title={t('plan.bounds')}>
                  <CountInputs counts={bounds} {...countsOf} />
                  <NativeSelect
                    label={t('plan.pacing')}
                    value={draft.pacing}
                    onChange={(event) => set({ pacing: event.currentTarget.value as Draft['pacing'] })}
                    error={errorOf('pacing')}
                    data={(['human', 'none'] as const).map((value) => ({ value, label: t(`plan.pacing.${value}`) }))}
                  />
                </Group>
                <Group title={t('plan.unpaid')}>
                  <NativeSelect
                    label={t('plan.inbound')}
                    description={t('plan.inbound.note')}
                    value={draft.suspended_inbound}
                    onChange={(event) => set({ suspended_inbound: event.currentTarget.value as Draft['suspended_inbound'] })}
                    error={errorOf('suspended_inbound')}
                    data={(['park', 'keep'] as const).map((value) => ({ value, label: t(`plan.inbound.${value}`) }))}
                  />
                </Group>
              </>
            )
          }}
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
