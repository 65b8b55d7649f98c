import type { LinkProps } from '@tanstack/react-router'

const hex = '[0-9a-f]{32}'

/** The screen that shows the thing an id names, if it is an id. */
export function placeOf(text: string): LinkProps | null {
  const found = new RegExp(`^(ten|ses|msg|inv)_${hex}$`).exec(text)
  if (!found) return null
  const place = {
    ten: { to: '/tenants/$tenant', params: { tenant: text } },
    ses: { to: '/sessions/$session', params: { session: text } },
    msg: { to: '/messages', search: { open: text } },
    inv: { to: '/invoices', search: { open: text } },
  }[found[1] as 'ten' | 'ses' | 'msg' | 'inv']
  return place as LinkProps
}
