// What a session's or a message's state means, in plain words: what happened, what Columba does about it, what you can do.

import type { MessageRecord, SessionRecord } from '../api/records'
import { has, said, t } from './speak'
import { clock, relative } from './times'

export interface Explained {
  /** What happened, since when. */
  what: string
  /** What Columba does about it. */
  does: string
  /** What you can do; empty when nothing is needed. */
  cure: string
}

type Standing = Pick<SessionRecord, 'status' | 'reason' | 'since' | 'restriction' | 'paired'>

/** Which words explain a session: the most particular that there are. */
export function explainSession(session: Standing, now: number): Explained {
  const { status, reason } = session
  const values = {
    ago: relative(Date.parse(session.since), now),
    until: session.restriction ? clock(Date.parse(session.restriction.until), now) : '',
  }
  const first = (...keys: string[]) => {
    const key = keys.find(has)
    return key === undefined ? '' : said(key, values)
  }
  return {
    what: first(`session.what.${status}.${reason ?? ''}`, `session.what.${reason ?? status}`, `session.what.${status}`),
    does: first(`session.does.${status}.${reason ?? ''}`, `session.does.${status}`),
    cure: first(`session.cure.${status}.${reason ?? ''}`, `session.cure.${reason ?? status}`, `session.cure.${status}`),
  }
}

/** What a limit that WhatsApp put on the account means for sending. */
export function explainRestriction(restriction: NonNullable<SessionRecord['restriction']>, now: number): string {
  return said(`restriction.${restriction.kind}`, { until: clock(Date.parse(restriction.until), now) })
}

export function explainMessage(message: Pick<MessageRecord, 'status' | 'reason' | 'hold' | 'expires_at'>, now: number): string {
  const until = message.hold?.until ?? message.expires_at
  const values = { until: until ? clock(Date.parse(until), now) : t('time.unknown') }
  const keys = [`message.why.${message.status}.${message.reason ?? ''}`, `message.why.${message.reason ?? ''}`]
  const reason = keys.find(has)
  const status = said(`message.means.${message.status}`, values)
  return reason === undefined ? status : `${status} ${said(reason, values)}`
}
