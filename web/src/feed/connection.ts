// The thin shell around the machine: a websocket, a timer, and whoever listens.

import { api, got } from '../api/client'
import { onBehalf } from '../api/look'
import { Problem } from '../api/problems'
import { begin, on, type Effect, type FeedEvent, type Frame, type Input, type State } from './machine'

/** `fleet`, or the id of a tenant. */
export type Scope = string

export interface Listener {
  event(event: FeedEvent): void
  /** Something may have been missed. */
  resync(): void
}

/** How long a connection that nobody needs any more stays open: a change of screens should not cost one. */
const linger = 5_000

export class Connection {
  readonly #scope: Scope
  readonly #feed
  readonly #listeners = new Set<Listener>()
  readonly #watchers = new Set<() => void>()
  #socket: WebSocket | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #linger: ReturnType<typeof setTimeout> | undefined

  constructor(scope: Scope) {
    this.#scope = scope
    this.#feed = begin(scope !== 'fleet')
    const woken = () => document.visibilityState === 'visible' && this.#take({ is: 'woken' })
    window.addEventListener('online', woken)
    document.addEventListener('visibilitychange', woken)
  }

  get state(): State {
    return this.#feed.state
  }

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  listen(listener: Listener): () => void {
    clearTimeout(this.#linger)
    this.#listeners.add(listener)
    this.#take({ is: 'start' })
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      clearTimeout(this.#linger)
      this.#linger = setTimeout(() => this.#take({ is: 'stop' }), linger)
    }
  }

  #take(input: Input): void {
    const before = this.#feed.state
    // The browser's clock, not the server's: only differences of it are used.
    for (const effect of on(this.#feed, input, Date.now(), Math.random())) this.#perform(effect)
    if (this.#feed.state !== before) for (const watcher of this.#watchers) watcher()
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'ask':
        void this.#ask()
        return
      case 'open':
        this.#open(effect.ticket)
        return
      case 'send':
        if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(effect.frame))
        return
      case 'close': {
        clearTimeout(this.#timer)
        const socket = this.#socket
        this.#socket = null
        socket?.close()
        return
      }
      case 'arm':
        clearTimeout(this.#timer)
        this.#timer = setTimeout(() => this.#take({ is: 'timer' }), effect.ms)
        return
      case 'tell':
        for (const listener of this.#listeners) listener.event(effect.event)
        return
      case 'resync':
        for (const listener of this.#listeners) listener.resync()
    }
  }

  async #ask(): Promise<void> {
    try {
      const { ticket } = await (this.#scope === 'fleet'
        ? got(api.POST('/v1/admin/feed/tickets'))
        : got(api.POST('/v1/feed/tickets', { body: {}, headers: onBehalf(this.#scope) })))
      this.#take({ is: 'ticket', ticket })
    } catch (error) {
      const problem = error instanceof Problem ? error : null
      const retryAfterMs = problem?.retryAfter == null ? null : problem.retryAfter * 1_000
      this.#take({ is: 'no_ticket', status: problem?.status ?? 0, retryAfterMs })
    }
  }

  #open(ticket: string): void {
    const url = new URL('/v1/feed', window.location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const socket = new WebSocket(url, ['columba.v1', `ticket.${ticket}`])
    this.#socket = socket
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#take({ is: 'frame', frame: JSON.parse(String(data)) as Frame })
    }
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#take({ is: 'closed', code })
    }
  }
}

const connections = new Map<Scope, Connection>()

/** The one connection of a scope; whoever listens shares it. */
export function connection(scope: Scope): Connection {
  let found = connections.get(scope)
  if (!found) {
    found = new Connection(scope)
    connections.set(scope, found)
  }
  return found
}
