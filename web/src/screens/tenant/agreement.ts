// What follows from a subscription as it was read.

import type { QueryClient } from '@tanstack/react-query'
import type { components } from '../../api/schema'
import { credits, subscription, tenant, usage } from '../../api/tenants'
import { day, lastDay } from '../../words/times'

export type Subscription = components['schemas']['SubscriptionRecord']

/** The first instant of the next period: what is not paid for yet, a trial for one, goes by months. */
export function nextPeriod({ charged, month }: Subscription): string {
  return charged?.term.end ?? month.end
}

/** The last day of one that ends with its period. A trial ends with its month, or before. */
export function endsOn(of: Subscription): string {
  const end = nextPeriod(of)
  const early = of.status === 'trialing' && of.trial_end !== null && Date.parse(of.trial_end) < Date.parse(end)
  return early && of.trial_end ? day(of.trial_end) : lastDay(end)
}

/** Reads anew what changes with a subscription or a ledger. */
export async function renew(queries: QueryClient, id: string): Promise<void> {
  const keys = [subscription(id).queryKey, tenant(id).queryKey, credits(id).queryKey, usage(id).queryKey, ['ledger', id], ['invoices']]
  await Promise.all(keys.map((queryKey) => queries.invalidateQueries({ queryKey })))
}
