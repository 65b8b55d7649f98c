import { Fact, Facts } from '../../pieces/section'
import { money } from '../../words/amounts'
import { said, t } from '../../words/speak'
import { bounds, CountFacts, included, trial } from './counts'
import { OverageFacts } from './overage'
import type { Plan } from './plans'

/** A plan as whoever may not change it reads it: the same facts as the form, in the same order. */
export function PlanFacts({ plan }: { plan: Plan }) {
  return (
    <>
      <h3>{t('plans.price')}</h3>
      <Facts>
        <Fact name={t('plans.price')}>
          {money(plan.price_minor, plan.currency)} {said(`interval.${plan.interval}`)}
        </Fact>
        <CountFacts counts={trial} plan={plan} />
      </Facts>
      <h3>{t('plan.included')}</h3>
      <Facts>
        <CountFacts counts={included} plan={plan} />
        <Fact name={t('plan.plugins')}>{plan.plugins.length > 0 ? <code>{plan.plugins.join(' ')}</code> : t('plan.plugins.none')}</Fact>
      </Facts>
      <h3>{t('plans.beyond')}</h3>
      <Facts>
        <Fact name={t('plan.quota')}>{t(`plan.${plan.quota}`)}</Fact>
        {plan.quota === 'soft' && <OverageFacts plan={plan} />}
      </Facts>
      <h3>{t('plan.bounds')}</h3>
      <Facts>
        <CountFacts counts={bounds} plan={plan} />
        <Fact name={t('plan.pacing')}>{t(`plan.pacing.${plan.pacing}`)}</Fact>
      </Facts>
      <h3>{t('plan.unpaid')}</h3>
      <Facts>
        <Fact name={t('plan.inbound')}>{t(`plan.inbound.${plan.suspended_inbound}`)}</Fact>
      </Facts>
    </>
  )
}
