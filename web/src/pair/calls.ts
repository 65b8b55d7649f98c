// The five calls of this page. It shares nothing with the admin UI: whoever is here has no account.

import type { PairPeek, PairState } from '../api/records'

export class Refused extends Error {
  readonly status: number
  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
  }
}

async function post<T>(path: string, body: object): Promise<T> {
  let response: Response
  try {
    response = await fetch(`/v1/pair/${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      body: JSON.stringify(body),
    })
  } catch {
    throw new Refused(0, '')
  }
  if (response.status === 204) return undefined as T
  const answer = (await response.json().catch(() => ({}))) as { detail?: string }
  if (!response.ok) throw new Refused(response.status, answer.detail ?? '')
  return answer as T
}

export const peek = (token: string) => post<PairPeek>('peek', { token })
export const confirm = (token: string) => post<{ pass: string }>('confirm', { token })
export const state = (pass: string) => post<PairState>('state', { pass })
export const code = (pass: string, phone: string) => post<{ code: string; expires_at: string }>('code', { pass, phone })
export const report = (token: string, text: string) => post<void>('report', text ? { token, text } : { token })
