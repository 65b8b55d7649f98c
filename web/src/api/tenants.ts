// What the screens of tenants and their money read.

import { queryOptions } from '@tanstack/react-query'
import { api, got } from './client'
import { reading } from './look'

export const tenant = (id: string) =>
  queryOptions({
    queryKey: ['tenant', id],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/tenants/{id}', { params: { path: { id } }, signal })),
  })

export const plans = queryOptions({
  queryKey: ['plans'],
  queryFn: ({ signal }) => got(api.GET('/v1/admin/plans', { params: { query: { limit: 200 } }, signal })),
  staleTime: 30_000,
})

export const usage = (id: string) =>
  queryOptions({
    queryKey: ['usage', id],
    queryFn: ({ signal }) => got(api.GET('/v1/usage', { headers: reading(id), signal })),
    refetchInterval: 15_000,
  })

export const subscription = (id: string) =>
  queryOptions({
    queryKey: ['subscription', id],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/tenants/{id}/subscription', { params: { path: { id } }, signal })),
  })

/** Whom a tenant's invoices are for. */
export const profile = (id: string) =>
  queryOptions({
    queryKey: ['profile', id],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/tenants/{id}/billing-profile', { params: { path: { id } }, signal })),
  })

/**
 * What a tenant has in credit, by currency: what its open invoices ask for beyond what its ledger says it owes. The next invoices are
 * paid with it, and no more than that can go back.
 */
export const credits = (id: string) =>
  queryOptions({
    queryKey: ['credits', id],
    queryFn: async ({ signal }) => {
      const { balances } = await got(api.GET('/v1/admin/tenants/{id}/subscription', { params: { path: { id } }, signal }))
      const left = new Map(balances.map(({ currency, owed_minor }) => [currency, -owed_minor]))
      let cursor: string | undefined
      do {
        const query = { tenant: id, status: 'open' as const, limit: 200, ...(cursor && { cursor }) }
        const page = await got(api.GET('/v1/admin/invoices', { params: { query }, signal }))
        for (const { currency, due_minor } of page.data) left.set(currency, (left.get(currency) ?? 0) + due_minor)
        cursor = page.next_cursor ?? undefined
      } while (cursor)
      return Object.fromEntries([...left].filter(([, minor]) => minor > 0))
    },
    staleTime: 0,
  })

/** Names of tenants that records know only by id. */
export const tenantName = (id: string) => queryOptions({ ...tenant(id), staleTime: 5 * 60_000 })
