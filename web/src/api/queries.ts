// The cache of what was read, and what a failure means for it.

import { QueryCache, QueryClient } from '@tanstack/react-query'
import { isSignedOut, Problem } from './problems'

let signedOut: () => void = () => {}

/** What happens when the server no longer knows who asks. */
export function onSignedOut(act: () => void): void {
  signedOut = act
}

export const queries = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (isSignedOut(error) && query.queryKey[0] !== 'me') signedOut()
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      gcTime: 5 * 60_000,
      // A refusal will be one again; only what may pass is tried again.
      retry: (count, error) => count < 2 && error instanceof Problem && error.retryable && error.status !== 429,
      retryDelay: (count) => 500 * 2 ** count,
      refetchOnWindowFocus: true,
    },
  },
})
