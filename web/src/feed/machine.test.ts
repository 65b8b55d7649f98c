import { describe, expect, test } from 'vitest'
import { begin, on, type Effect, type Feed, type Frame, type Input } from './machine'

const hello: Frame = { op: 'hello', heartbeat_s: 25 }
const ready = (seq: number, recovered: boolean, epoch = 'e1'): Frame => ({ op: 'ready', epoch, seq, recovered })
const event = (q: number): Frame => ({ op: 'event', q, e: 'msg', id: `msg_${q}`, c: 'sent' })

function live(seq = 10): Feed {
  const feed = begin(true)
  run(feed, [{ is: 'start' }, { is: 'ticket', ticket: 't' }, frame(hello), frame(ready(seq, true))])
  return feed
}

function frame(frame: Frame): Input {
  return { is: 'frame', frame }
}

function run(feed: Feed, inputs: Input[], now = 0): Effect[] {
  return inputs.flatMap((input) => on(feed, input, now, 0.5))
}

describe('the feed', () => {
  test('asks for a ticket, opens with it, subscribes, and is live', () => {
    const feed = begin(true)
    expect(run(feed, [{ is: 'start' }])).toEqual([{ do: 'ask' }])
    expect(run(feed, [{ is: 'ticket', ticket: 't' }])[0]).toEqual({ do: 'open', ticket: 't' })
    expect(run(feed, [frame(hello)])).toEqual([{ do: 'send', frame: { op: 'subscribe' } }])
    expect(run(feed, [frame(ready(3, false))])).toEqual([{ do: 'arm', ms: 25_000 }])
    expect(feed.state).toEqual({ at: 'live' })
  })

  test('goes on behind the last event it saw', () => {
    const feed = live(10)
    run(feed, [frame(event(11)), frame(event(15)), { is: 'closed', code: 1006 }], 100)
    run(feed, [{ is: 'woken' }, { is: 'ticket', ticket: 'u' }], 200)
    expect(run(feed, [frame(hello)])).toEqual([{ do: 'send', frame: { op: 'subscribe', resume: { epoch: 'e1', seq: 15 } } }])
    // What was missed comes after `ready`, and none of it is dropped for being older than the head.
    expect(run(feed, [frame(ready(20, true)), frame(event(16))])).toContainEqual({
      do: 'tell',
      event: { q: 16, e: 'msg', id: 'msg_16', c: 'sent' },
    })
  })

  test('tells an event once', () => {
    const feed = live(10)
    const told = run(feed, [frame(event(11)), frame(event(11)), frame(event(10)), frame(event(12))])
    expect(told.map((effect) => (effect.do === 'tell' ? effect.event.q : effect.do))).toEqual([11, 12])
  })

  test('has everything read again after a gap, and never without one', () => {
    const gap = live(10)
    run(gap, [{ is: 'closed', code: 1006 }, { is: 'woken' }, { is: 'ticket', ticket: 'u' }, frame(hello)])
    expect(run(gap, [frame(ready(40, false, 'e2'))])).toContainEqual({ do: 'resync' })
    expect(gap.position).toEqual({ epoch: 'e2', seq: 40 })
    const none = live(10)
    run(none, [{ is: 'closed', code: 1006 }, { is: 'woken' }, { is: 'ticket', ticket: 'u' }, frame(hello)])
    expect(run(none, [frame(ready(40, true))])).not.toContainEqual({ do: 'resync' })
    expect(run(live(), [frame({ op: 'lagged', missed: 3 })])).toEqual([{ do: 'resync' }])
    expect(run(live(), [frame({ op: 'resync', reason: 'epoch' })])).toEqual([{ do: 'resync' }])
  })

  test('a feed that cannot resume announces a gap whenever it comes back', () => {
    const feed = begin(false)
    run(feed, [{ is: 'start' }, { is: 'ticket', ticket: 't' }, frame(hello), frame({ op: 'ready' })])
    run(feed, [{ is: 'closed', code: 1006 }, { is: 'woken' }, { is: 'ticket', ticket: 'u' }])
    expect(run(feed, [frame(hello)])).toEqual([{ do: 'send', frame: { op: 'subscribe' } }])
    expect(run(feed, [frame({ op: 'ready' })])).toContainEqual({ do: 'resync' })
  })

  test.each([
    [4001, { at: 'ended', why: 'signed_out' }],
    [4003, { at: 'ended', why: 'not_allowed' }],
    [4010, { at: 'ended', why: 'protocol' }],
    [4009, { at: 'asking' }],
    [4008, { at: 'waiting', until: 500 }],
    [4000, { at: 'waiting', until: 500 }],
    [1001, { at: 'waiting', until: 500 }],
    [1006, { at: 'waiting', until: 500 }],
  ])('what a close with %i means', (code, state) => {
    const feed = live()
    run(feed, [{ is: 'closed', code }])
    expect(feed.state).toEqual(state)
  })

  test('comes back when a server that goes away asked it to', () => {
    const feed = live()
    run(feed, [frame({ op: 'going_away', retry_ms: 3_000 }), { is: 'closed', code: 1001 }], 1_000)
    expect(feed.state).toEqual({ at: 'waiting', until: 4_000 })
  })

  test('waits longer each time, at most 36 s, and starts anew once live', () => {
    const feed = live()
    const waits: number[] = []
    for (let round = 0; round < 12; round += 1) {
      run(feed, round === 0 ? [{ is: 'closed', code: 1006 }] : [{ is: 'no_ticket', status: 0, retryAfterMs: null }])
      if (feed.state.at !== 'waiting') throw new Error(feed.state.at)
      waits.push(feed.state.until)
      run(feed, [{ is: 'timer' }], feed.state.until)
    }
    expect(waits.every((ms, at) => at === 0 || ms >= (waits[at - 1] ?? 0))).toBe(true)
    expect(Math.max(...waits)).toBeLessThanOrEqual(36_000)
    run(feed, [{ is: 'ticket', ticket: 't' }, frame(hello), frame(ready(1, true)), { is: 'closed', code: 1006 }])
    expect(feed.state).toEqual({ at: 'waiting', until: 500 })
  })

  test('finds a connection that died silently', () => {
    const feed = live()
    expect(run(feed, [{ is: 'timer' }], 25_000)).toContainEqual({ do: 'send', frame: { op: 'ping' } })
    run(feed, [{ is: 'timer' }], 62_500)
    expect(feed.state.at).toBe('waiting')
  })

  test('nothing that comes late disturbs a feed that was stopped', () => {
    const late: Input[] = [
      { is: 'ticket', ticket: 't' },
      { is: 'no_ticket', status: 500, retryAfterMs: null },
      frame(event(99)),
      { is: 'closed', code: 1006 },
      { is: 'timer' },
      { is: 'woken' },
    ]
    for (const input of late) {
      const feed = live()
      run(feed, [{ is: 'stop' }])
      expect(run(feed, [input])).toEqual([])
      expect(feed.state).toEqual({ at: 'off' })
    }
  })
})
