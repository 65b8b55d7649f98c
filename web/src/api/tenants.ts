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

/** Names of tenants that records know only by id. */
export const tenantName = (id: string) => queryOptions({ ...tenant(id), staleTime: 5 * 60_000 })
