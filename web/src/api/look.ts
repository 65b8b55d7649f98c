// A look as a tenant: full reading for a while, no acting, and the tenant can see that it happened.

import { useSyncExternalStore } from 'react'
import type { Look } from './records'

const kept = 'columba.look'
const listeners = new Set<() => void>()
let current = restore()

/** The headers that open the tenant's own calls to an operator. */
export function onBehalf(tenant: string): Record<string, string> {
  return { 'Columba-Tenant': tenant }
}

/** The same for reading: within a look also what is in messages. */
export function reading(tenant: string): Record<string, string> {
  const look = current?.tenant === tenant ? current : null
  return look ? { 'Columba-Tenant': tenant, 'Columba-Look': look.id } : { 'Columba-Tenant': tenant }
}

export function keepLook(look: Look | null): void {
  current = look
  if (look) sessionStorage.setItem(kept, JSON.stringify(look))
  else sessionStorage.removeItem(kept)
  for (const listener of listeners) listener()
}

/** The look that is open in this tab, if its end has not come. */
export function useLook(): Look | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => current,
  )
}

function restore(): Look | null {
  try {
    const look = JSON.parse(sessionStorage.getItem(kept) ?? 'null') as Look | null
    return look && Date.parse(look.until) > Date.now() ? look : null
  } catch {
    return null
  }
}
