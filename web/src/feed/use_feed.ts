import { useEffect, useEffectEvent, useSyncExternalStore } from 'react'
import { connection, type Scope } from './connection'
import type { FeedEvent, State } from './machine'

/** Listens while the caller is shown. */
export function useFeed(scope: Scope | null, event: (event: FeedEvent) => void, resync: () => void): void {
  const onEvent = useEffectEvent(event)
  const onResync = useEffectEvent(resync)
  useEffect(() => {
    if (scope === null) return
    return connection(scope).listen({ event: (happened) => onEvent(happened), resync: () => onResync() })
  }, [scope])
}

/** How the connection of a scope is. */
export function useFeedState(scope: Scope): State {
  const line = connection(scope)
  return useSyncExternalStore(
    (watcher) => line.watch(watcher),
    () => line.state,
  )
}
