import type { SessionRecord } from '../../api/records'

export const steps = ['waiting', 'scanned', 'syncing', 'connected'] as const

/** How far a pairing has come, as the session's state tells: -1 before it began. */
export function stepOf({ status, paired }: Pick<SessionRecord, 'status' | 'paired'>): number {
  switch (status) {
    case 'connected':
      return 3
    case 'pairing':
      // The credentials are written before the phone says that it is done.
      return paired ? 1 : 0
    case 'starting':
    case 'reconnecting':
      return paired ? 2 : -1
    default:
      return -1
  }
}
