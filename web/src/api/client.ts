// The one way to the server: typed by its own description, with the cookie's token on whatever changes something.

import createClient, { type Middleware } from 'openapi-fetch'
import { stepUp } from './door'
import { Problem, problemOf } from './problems'
import type { paths } from './schema'

let csrf: string | null = null

/** Remembers the token that sign-in and `me` give, in memory only. */
export function keepToken(token: string | null): void {
  csrf = token
}

const manners: Middleware = {
  onRequest({ request }) {
    if (csrf && request.method !== 'GET' && request.method !== 'HEAD') request.headers.set('X-CSRF-Token', csrf)
    return request
  },
  async onResponse({ response }) {
    if (!response.ok) throw await problemOf(response)
  },
  onError({ error }) {
    return error instanceof Error && error.name === 'AbortError' ? error : new Problem({ detail: String(error) })
  },
}

export const api = createClient<paths>({ baseUrl: '', credentials: 'same-origin' })
api.use(manners)

/** The answer of a call that has one. */
export async function got<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call
  return data as T
}

/**
 * Does what the server may want a fresh proof for: when it says so, asks for the password and tries once more.
 * A proof that is not given ends in the refusal.
 */
export async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'step_up_required') throw error
    if (!(await stepUp.ask())) throw error
    return call()
  }
}

/** For a call that must happen once, however often it is sent. Made by hand, since plain http has no `randomUUID`. */
export function requestKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
