// What the server refuses, and what the network does to a request, as one kind of error.

import type { components } from './schema'

export type ProblemDocument = components['schemas']['Problem']
export type Fault = components['schemas']['Fault']

/** A refusal by the server, or a request that never reached it (`unreachable`). */
export class Problem extends Error {
  readonly status: number
  /** The stable word programs switch on; `unreachable` when there was no answer. */
  readonly code: string
  readonly title: string
  readonly requestId: string | null
  readonly retryable: boolean
  readonly faults: Fault[]
  /** Page of the catalogue about this code, on this server. */
  readonly page: string | null
  /** Seconds to wait, when the server said so. */
  readonly retryAfter: number | null

  constructor(document: Partial<ProblemDocument>, retryAfter: number | null = null) {
    super(document.detail ?? document.title ?? 'no answer')
    this.name = 'Problem'
    this.status = document.status ?? 0
    this.code = document.code ?? 'unreachable'
    this.title = document.title ?? ''
    this.requestId = document.request_id ?? null
    this.retryable = document.retryable ?? true
    this.faults = document.errors ?? []
    this.page = document.type?.startsWith('/') ? document.type : null
    this.retryAfter = retryAfter
  }

  /** The code of the first fault: what a form acts on. */
  get fault(): string | null {
    return this.faults[0]?.code ?? null
  }
}

/** Nobody is signed in, or no longer. */
export function isSignedOut(error: unknown): boolean {
  return error instanceof Problem && error.status === 401
}

/** The problem in an answer that was no success. */
export async function problemOf(response: Response): Promise<Problem> {
  const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
  let document: Partial<ProblemDocument>
  try {
    document = (await response.json()) as ProblemDocument
  } catch {
    // A proxy in between answered, not Columba.
    document = { title: response.statusText, retryable: response.status >= 500 }
  }
  const requestId = document.request_id ?? response.headers.get('x-request-id') ?? undefined
  return new Problem(
    { ...document, status: response.status, code: document.code ?? 'unavailable', ...(requestId && { request_id: requestId }) },
    Number.isNaN(wait) ? null : wait,
  )
}
