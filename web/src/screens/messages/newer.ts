// What came since a list was read. The fleet's feed tells of sessions only, so the log of all tenants asks; it asks from its first
// row on, which the server answers out of the newest few messages.

import { useQuery } from '@tanstack/react-query'
import { readMessages } from '../../api/fleet'
import type { MessageQuery, MessageRecord } from '../../api/records'

const everyMs = 5_000

interface Newer {
  count: number
  /** There are more than were counted. */
  beyond: boolean
}

/** Counts while somebody looks: a page that is hidden asks nothing. */
export function useNewer(query: MessageQuery, rows: MessageRecord[] | undefined, asked: boolean): Newer {
  const first = rows?.[0]?.id
  const { data } = useQuery({
    queryKey: ['newer messages', query, first],
    queryFn: ({ signal }) => readMessages({ ...query, ...(first && { from: mintedAt(first) }) }, undefined, signal),
    enabled: asked && rows !== undefined && !(query.until && Date.parse(query.until) < Date.now()),
    // Past a page of them nobody counts on.
    refetchInterval: ({ state }) => (state.data?.has_more ? false : everyMs),
    gcTime: 0,
  })
  const newer = data?.data.filter((row) => first === undefined || row.id > first) ?? []
  return { count: newer.length, beyond: data?.has_more === true && newer.length === data.data.length }
}

/** Ids are minted in order of time, and begin with it. */
export function mintedAt(id: string): string {
  return new Date(Number.parseInt(id.slice(id.indexOf('_') + 1).slice(0, 12), 16)).toISOString()
}
