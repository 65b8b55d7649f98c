// What a connection to the feed does next, as a value: inputs in, effects out, no socket, no clock, no chance.

/** One event: ids and short codes. `n` names the tenant on the fleet's feed. */
export interface FeedEvent {
  q?: number
  s?: string
  e: 'msg' | 'in' | 'session' | 'usage' | string
  id?: string
  c?: string
  t?: number
  n?: string
}

export type Frame =
  | { op: 'hello'; heartbeat_s: number }
  | { op: 'ready'; epoch?: string; seq?: number; recovered?: boolean }
  | ({ op: 'event' } & FeedEvent)
  | { op: 'lagged'; missed: number }
  | { op: 'resync'; reason: string }
  | { op: 'going_away'; retry_ms: number }
  | { op: 'pong' }
  | { op: 'error'; code: string }

export type State =
  | { at: 'off' }
  /** A ticket is asked for. */
  | { at: 'asking' }
  /** The socket is opening, or has not said `ready`. */
  | { at: 'opening' }
  | { at: 'live' }
  /** Nothing is open until `until`, in milliseconds of the caller's clock. */
  | { at: 'waiting'; until: number }
  /** It is no use to try again. */
  | { at: 'ended'; why: 'signed_out' | 'not_allowed' | 'protocol' }

export type Input =
  | { is: 'start' }
  | { is: 'stop' }
  | { is: 'ticket'; ticket: string }
  | { is: 'no_ticket'; status: number; retryAfterMs: number | null }
  | { is: 'frame'; frame: Frame }
  | { is: 'closed'; code: number }
  /** The armed timer fired. */
  | { is: 'timer' }
  /** The browser says that the network is there again, or the page is looked at again. */
  | { is: 'woken' }

export type Effect =
  | { do: 'ask' }
  | { do: 'open'; ticket: string }
  | { do: 'send'; frame: object }
  | { do: 'close' }
  | { do: 'arm'; ms: number }
  | { do: 'tell'; event: FeedEvent }
  /** Something may have been missed: read again what is shown. */
  | { do: 'resync' }

export interface Feed {
  state: State
  /** Where to go on; null before the first `ready`, and always on a feed that cannot resume. */
  position: { epoch: string; seq: number } | null
  /** Whether it was ever live: then a new `ready` without recovery has a gap before it. */
  known: boolean
  resumes: boolean
  tries: number
  heartbeatMs: number
  /** When the last frame came, to find connections that died silently. */
  heardAt: number
  /** What `going_away` asked for. */
  retryMs: number | null
}

/** Milliseconds, before jitter. */
const backoff = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000] as const

export function begin(resumes: boolean): Feed {
  return {
    state: { at: 'off' },
    position: null,
    known: false,
    resumes,
    tries: 0,
    heartbeatMs: 25_000,
    heardAt: 0,
    retryMs: null,
  }
}

/** `chance` is from 0 to 1: it spreads what many clients do at once. */
export function on(feed: Feed, input: Input, now: number, chance: number): Effect[] {
  switch (input.is) {
    case 'start':
      return feed.state.at === 'off' || feed.state.at === 'ended' ? ask(feed) : []
    case 'stop':
      feed.state = { at: 'off' }
      return [{ do: 'close' }]
    case 'ticket':
      if (feed.state.at !== 'asking') return []
      feed.state = { at: 'opening' }
      feed.heardAt = now
      return [
        { do: 'open', ticket: input.ticket },
        { do: 'arm', ms: 10_000 },
      ]
    case 'no_ticket':
      if (feed.state.at !== 'asking') return []
      if (input.status === 401) return end(feed, 'signed_out')
      if (input.status === 403 || input.status === 404) return end(feed, 'not_allowed')
      return wait(feed, now, chance, input.retryAfterMs)
    case 'frame':
      return feed.state.at === 'opening' || feed.state.at === 'live' ? heard(feed, input.frame, now) : []
    case 'closed':
      return feed.state.at === 'opening' || feed.state.at === 'live' ? closed(feed, input.code, now, chance) : []
    case 'timer':
      return timer(feed, now, chance)
    case 'woken':
      return feed.state.at === 'waiting' ? ask(feed) : []
  }
}

function ask(feed: Feed): Effect[] {
  feed.state = { at: 'asking' }
  return [{ do: 'ask' }]
}

function end(feed: Feed, why: 'signed_out' | 'not_allowed' | 'protocol'): Effect[] {
  feed.state = { at: 'ended', why }
  return [{ do: 'close' }]
}

function wait(feed: Feed, now: number, chance: number, asked: number | null): Effect[] {
  const base = asked ?? backoff[Math.min(feed.tries, backoff.length - 1)] ?? 30_000
  feed.tries += 1
  feed.retryMs = null
  const ms = Math.round(base * (0.8 + 0.4 * chance))
  feed.state = { at: 'waiting', until: now + ms }
  return [{ do: 'close' }, { do: 'arm', ms }]
}

function heard(feed: Feed, frame: Frame, now: number): Effect[] {
  feed.heardAt = now
  switch (frame.op) {
    case 'hello': {
      feed.heartbeatMs = frame.heartbeat_s * 1_000
      const resume = feed.resumes && feed.position ? { resume: feed.position } : {}
      return [{ do: 'send', frame: { op: 'subscribe', ...resume } }]
    }
    case 'ready': {
      const gap = feed.known && frame.recovered !== true
      if (feed.resumes && frame.epoch !== undefined && frame.seq !== undefined) {
        // A recovered feed first sends what was missed, whose positions lie before this one.
        if (!feed.position || gap) feed.position = { epoch: frame.epoch, seq: frame.seq }
      }
      feed.state = { at: 'live' }
      feed.known = true
      feed.tries = 0
      return [...(gap ? [{ do: 'resync' } as const] : []), { do: 'arm', ms: feed.heartbeatMs }]
    }
    case 'event': {
      if (feed.position && frame.q !== undefined) {
        if (frame.q <= feed.position.seq) return []
        feed.position.seq = frame.q
      }
      const { op: _, ...event } = frame
      return [{ do: 'tell', event }]
    }
    case 'lagged':
      return [{ do: 'resync' }]
    case 'resync':
      // Where the feed goes on is told by the next `ready`, if there is one; until then positions mean nothing.
      feed.position = null
      return [{ do: 'resync' }]
    case 'going_away':
      feed.retryMs = frame.retry_ms
      return []
    case 'pong':
    case 'error':
      return []
  }
}

function closed(feed: Feed, code: number, now: number, chance: number): Effect[] {
  switch (code) {
    case 4001:
      return end(feed, 'signed_out')
    case 4003:
      return end(feed, 'not_allowed')
    case 4010:
      return end(feed, 'protocol')
    case 4009:
      // The ticket was too old: another one, at once, but not for ever.
      return feed.tries === 0 ? ((feed.tries = 1), ask(feed)) : wait(feed, now, chance, null)
    default:
      return wait(feed, now, chance, feed.retryMs)
  }
}

function timer(feed: Feed, now: number, chance: number): Effect[] {
  switch (feed.state.at) {
    case 'waiting':
      return now >= feed.state.until ? ask(feed) : [{ do: 'arm', ms: feed.state.until - now }]
    case 'opening':
      return wait(feed, now, chance, null)
    case 'live':
      // A connection that says nothing through two beats and its pong is dead, whatever the socket believes.
      if (now - feed.heardAt >= feed.heartbeatMs * 2.5) return wait(feed, now, chance, null)
      return [
        { do: 'send', frame: { op: 'ping' } },
        { do: 'arm', ms: feed.heartbeatMs },
      ]
    default:
      return []
  }
}
