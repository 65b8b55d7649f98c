// What messages beyond the month's cost: nothing, one price, or tiers of prices.

import { IconPlus, IconTrash } from '@tabler/icons-react'
import { AmountInput } from '../../pieces/amount_input'
import { Button, Buttons } from '../../pieces/button'
import { NativeSelect, NumberInput } from '../../pieces/fields'
import { Fact } from '../../pieces/section'
import { money, number } from '../../words/amounts'
import { t } from '../../words/speak'
import css from './plans.module.css'
import type { Plan } from './plans'

interface Tier {
  up_to: number | null
  price_minor: number | null
  per: number | null
}

/** Each price list is kept while another is chosen, so that a look at it loses nothing. */
export interface Overage {
  by: 'nothing' | 'price' | 'tiers'
  price: number | null
  tiers: Tier[]
}

const tier: Tier = { up_to: null, price_minor: null, per: 1 }
const most = 20

export function overageOf({ overage_minor, overage_tiers }: Pick<Plan, 'overage_minor' | 'overage_tiers'>): Overage {
  return {
    by: overage_tiers.length > 0 ? 'tiers' : overage_minor === null ? 'nothing' : 'price',
    price: overage_minor,
    tiers: overage_tiers.length > 0 ? overage_tiers : [tier],
  }
}

/** As the API takes it: one list excludes the other, and the last tier has no bound. */
export function bodyOf({ by, price, tiers }: Overage) {
  return {
    overage_minor: by === 'price' ? price : null,
    overage_tiers: by === 'tiers' ? tiers.map((one, at) => ({ ...one, up_to: at === tiers.length - 1 ? null : one.up_to })) : [],
  }
}

export function OverageInputs({
  overage,
  currency,
  onChange,
  errorOf,
}: {
  overage: Overage
  currency: string
  onChange: (overage: Overage) => void
  errorOf: (pointer: string) => string | undefined
}) {
  const { by, price, tiers } = overage
  const set = (change: Partial<Overage>) => onChange({ ...overage, ...change })
  const change = (at: number, change: Partial<Tier>) => set({ tiers: tiers.with(at, { ...(tiers[at] ?? tier), ...change }) })
  return (
    <>
      <NativeSelect
        label={t('plan.charge')}
        value={by}
        onChange={(event) => set({ by: event.currentTarget.value as Overage['by'] })}
        error={errorOf('overage_tiers')}
        data={(['nothing', 'price', 'tiers'] as const).map((value) => ({ value, label: t(`plan.charge.${value}`) }))}
      />
      {by === 'price' && (
        <AmountInput
          label={t('plan.overage')}
          currency={currency}
          minor={price}
          onChange={(price) => set({ price })}
          least={0}
          error={errorOf('overage_minor')}
        />
      )}
      {by === 'tiers' && (
        <>
          <p className="small dim">{t('plan.tiers.note')}</p>
          {tiers.map((one, at) => {
            const name = t('plan.tier', { number: at + 1 })
            const last = at === tiers.length - 1
            return (
              <div key={at} role="group" aria-label={name} className={css.tier}>
                <div className={css.head}>
                  <span className="small dim">{last && at > 0 ? `${name} · ${t('plan.tier.rest')}` : name}</span>
                  {tiers.length > 1 && (
                    <Button
                      icon={IconTrash}
                      look="quiet"
                      aria-label={t('plan.tier.remove', { number: at + 1 })}
                      onClick={() => set({ tiers: tiers.toSpliced(at, 1) })}
                    />
                  )}
                </div>
                <div className={css.cells}>
                  {!last && (
                    <NumberInput
                      label={t('plan.tier.up_to')}
                      value={one.up_to ?? ''}
                      onChange={(typed) => change(at, { up_to: typed === '' ? null : Number(typed) })}
                      error={errorOf(`overage_tiers/${at}/up_to`)}
                      min={0}
                      allowDecimal={false}
                      hideControls
                      required
                    />
                  )}
                  <AmountInput
                    label={t('plans.price')}
                    currency={currency}
                    minor={one.price_minor}
                    onChange={(price_minor) => change(at, { price_minor })}
                    least={0}
                    error={errorOf(`overage_tiers/${at}/price_minor`)}
                  />
                  <NumberInput
                    label={t('plan.tier.per')}
                    value={one.per ?? ''}
                    onChange={(typed) => change(at, { per: typed === '' ? null : Number(typed) })}
                    error={errorOf(`overage_tiers/${at}/per`)}
                    min={1}
                    allowDecimal={false}
                    hideControls
                    required
                  />
                </div>
              </div>
            )
          })}
          {tiers.length < most && (
            <Buttons>
              <Button icon={IconPlus} onClick={() => set({ tiers: [...tiers, tier] })}>
                {t('plan.tier.add')}
              </Button>
            </Buttons>
          )}
        </>
      )}
    </>
  )
}

export function OverageFacts({ plan: { overage_minor, overage_tiers, currency } }: { plan: Plan }) {
  if (overage_tiers.length === 0) {
    return <Fact name={t('plan.overage')}>{overage_minor === null ? t('plan.charge.nothing') : money(overage_minor, currency)}</Fact>
  }
  return overage_tiers.map(({ up_to, price_minor, per }, at) => (
    <Fact key={at} name={up_to === null ? t('plan.tier.rest') : `${t('plan.tier.up_to')} ${number(up_to)}`}>
      {money(price_minor, currency)} / {t('plan.month', { count: per })}
    </Fact>
  ))
}
