// A list page by page, as one list.

import { useInfiniteQuery, type QueryKey } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { Page } from './records'

export interface Paged<R> {
  rows: R[] | undefined
  /** Loads the next page; absent at the end, and while one is on its way. */
  more: (() => void) | undefined
  error: Error | null
  stale: boolean
  retry: () => void
}

export function usePaged<R>(
  key: QueryKey,
  read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<R>>,
  options: { refetchInterval?: number; enabled?: boolean } = {},
): Paged<R> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => (page.has_more ? (page.next_cursor ?? undefined) : undefined),
    // While a filter changes the rows that stand stay, dimmed: an empty flash tells nobody anything.
    placeholderData: (before) => before,
    ...options,
  })
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.data), [query.data])
  const { fetchNextPage, refetch } = query
  return {
    rows,
    more: query.hasNextPage && !query.isFetchingNextPage ? () => void fetchNextPage() : undefined,
    error: query.error,
    stale: query.isPlaceholderData,
    retry: () => void refetch(),
  }
}

/** Replaces a row wherever a list has it. */
export function withRow<R>(
  pages: { pages: Page<R>[]; pageParams: unknown[] } | undefined,
  same: (row: R) => boolean,
  next: R,
): { pages: Page<R>[]; pageParams: unknown[] } | undefined {
  if (!pages) return pages
  return {
    ...pages,
    pages: pages.pages.map((page) => (page.data.some(same) ? { ...page, data: page.data.map((row) => (same(row) ? next : row)) } : page)),
  }
}
