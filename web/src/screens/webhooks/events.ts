// What an endpoint can be told of: everything, a family of events, or single ones. A test goes to it unasked.

import type { components } from '../../api/schema'

export type Pattern = components['schemas']['EventPattern']

export const all: Pattern = '*'

export const families: { family: Pattern; events: Pattern[] }[] = [
  {
    family: 'message.*',
    events: [
      'message.received', 'message.queued', 'message.held', 'message.sending', 'message.sent', 'message.delivered', 'message.read',
      'message.failed', 'message.unknown', 'message.expired', 'message.canceled', 'message.dead',
    ],
  },
  {
    family: 'session.*',
    events: [
      'session.connected', 'session.reconnecting', 'session.parked', 'session.logged_out', 'session.quarantined', 'session.stopped',
      'session.starting', 'session.pairing',
    ],
  },
  { family: 'usage.*', events: ['usage.threshold'] },
  { family: 'invoice.*', events: ['invoice.issued', 'invoice.paid'] },
  { family: 'subscription.*', events: ['subscription.updated'] },
  { family: 'webhook.*', events: ['webhook.disabled'] },
] // prettier-ignore

/** Whether these patterns cover an event or a whole family. */
export function covers(patterns: Pattern[], wanted: Pattern): boolean {
  const family = `${wanted.split('.')[0]}.*` as Pattern
  return patterns.includes(all) || patterns.includes(wanted) || patterns.includes(family)
}

/** The patterns after one more press on an event, a family or everything. */
export function pressed(patterns: Pattern[], wanted: Pattern): Pattern[] {
  if (wanted === all) return patterns.includes(all) ? [] : [all]
  // Of everything or of a family, one less is all the others by name.
  const rest = unfolded(patterns, wanted)
  if (covers(rest, wanted)) return rest.filter((one) => one !== wanted)
  const within = families.find(({ family }) => family === wanted)?.events ?? []
  return [...rest.filter((one) => !within.includes(one)), wanted]
}

function unfolded(patterns: Pattern[], wanted: Pattern): Pattern[] {
  const opened = patterns.includes(all) ? families.map(({ family }) => family) : patterns
  const around = families.find(({ events }) => events.includes(wanted))
  if (!around || !opened.includes(around.family)) return opened
  return opened.flatMap((one) => (one === around.family ? around.events : [one]))
}
