import type { MessageQuery } from '../../api/records'

/** What a search means by its shape: an id, a number, a reference of the tenant's, or an id on the network. */
export function sought(text: string | undefined): MessageQuery {
  const q = text?.trim()
  if (!q) return {}
  if (/^msg_[0-9a-f]+$/.test(q)) return { id: q }
  const digits = q.replaceAll(/[\s().-]/g, '')
  if (/^\+?\d{6,15}$/.test(digits)) return { chat: digits.startsWith('+') ? digits : `+${digits}` }
  if (q.includes('@')) return { chat: q }
  if (/^[0-9A-F]{16,40}$/.test(q)) return { wa_id: q }
  return { client_ref: q }
}
