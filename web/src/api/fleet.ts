// What the fleet's screens read.

import { queryOptions } from '@tanstack/react-query'
import { api, got } from './client'
import { reading } from './look'
import type { FleetQuery, FleetSession, MessageQuery, Page } from './records'

export const overview = queryOptions({
  queryKey: ['overview'],
  queryFn: ({ signal }) => got(api.GET('/v1/admin/overview', { signal })),
  refetchInterval: 10_000,
  staleTime: 1_000,
})

export const sessionsKey = (query: FleetQuery) => ['sessions', query] as const

export function readSessions(query: FleetQuery, cursor: string | undefined, signal: AbortSignal): Promise<Page<FleetSession>> {
  const call = { params: { query: { ...query, ...(cursor && { cursor }), limit: 100 } }, signal }
  // The record is described with what a tenant sees of it, where whose it is goes without saying.
  return got(api.GET('/v1/admin/sessions', call)) as Promise<Page<FleetSession>>
}

export const session = (id: string) =>
  queryOptions({
    queryKey: ['session', id],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/sessions/{id}', { params: { path: { id } }, signal })) as Promise<FleetSession>,
  })

export const rateWindow = (tenant: string, id: string) =>
  queryOptions({
    queryKey: ['window', id],
    queryFn: ({ signal }) => got(api.GET('/v1/sessions/{id}/window', { params: { path: { id } }, headers: reading(tenant), signal })),
    refetchInterval: 2_000,
    staleTime: 0,
  })

export const timelineKey = (id: string) => ['timeline', id] as const

export function readTimeline(tenant: string, id: string, cursor: string | undefined, signal: AbortSignal) {
  return got(
    api.GET('/v1/sessions/{id}/timeline', {
      params: { path: { id }, query: { limit: 50, ...(cursor && { cursor }) } },
      headers: reading(tenant),
      signal,
    }),
  )
}

export function readMessages(query: MessageQuery, cursor: string | undefined, signal: AbortSignal) {
  return got(api.GET('/v1/admin/messages', { params: { query: { ...query, ...(cursor && { cursor }), limit: 100 } }, signal }))
}

export const message = (id: string) =>
  queryOptions({
    queryKey: ['message', id],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/messages/{id}', { params: { path: { id } }, signal })),
  })

export const transports = queryOptions({
  queryKey: ['transports'],
  queryFn: ({ signal }) => got(api.GET('/v1/admin/transports', { signal })),
  refetchInterval: 10_000,
})
