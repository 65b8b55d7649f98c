// Who is signed in, and how a fresh proof is asked for.

import { queryOptions } from '@tanstack/react-query'
import { api, got, keepToken } from './client'
import type { SignedIn } from './records'

/** Who is signed in. Fails with 401 when nobody is. */
export const me = queryOptions({
  queryKey: ['me'],
  queryFn: async ({ signal }) => {
    const me = await got(api.GET('/v1/admin/me', { signal }))
    keepToken(me.csrf)
    return me
  },
  staleTime: 60_000,
  retry: false,
})

export function keep(signedIn: SignedIn): void {
  keepToken(signedIn.csrf)
}

/** A question that somebody else on the page answers: the dialog registers itself here. */
export const stepUp = {
  dialog: null as null | (() => Promise<boolean>),
  ask(): Promise<boolean> {
    return this.dialog ? this.dialog() : Promise.resolve(false)
  },
}

const ranks = { viewer: 0, support: 1, admin: 2, owner: 3 } as const
export type Role = keyof typeof ranks

/** Whether a role may do what takes another. The server decides; this only spares people dead buttons. */
export function may(role: Role | undefined, takes: Role): boolean {
  return role !== undefined && ranks[role] >= ranks[takes]
}
