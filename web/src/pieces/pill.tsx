// A state as colour, icon and word together: never by colour alone.

import {
  IconAlertTriangle,
  IconBan,
  IconCheck,
  IconChecks,
  IconClock,
  IconHourglass,
  IconLoader2,
  IconPlayerPause,
  IconPlayerStop,
  IconPointFilled,
  IconQrcode,
  IconQuestionMark,
  IconRefresh,
  IconUnlink,
  IconX,
  type Icon,
} from '@tabler/icons-react'
import type { SessionStatus } from '../api/records'
import { said } from '../words/speak'
import css from './pill.module.css'

export type Tone = 'green' | 'blue' | 'amber' | 'violet' | 'grey' | 'red' | 'outline'

const sessions: Record<SessionStatus, [Tone, Icon, boolean?]> = {
  connected: ['green', IconCheck],
  pairing: ['blue', IconQrcode],
  starting: ['amber', IconPointFilled, true],
  reconnecting: ['amber', IconPointFilled, true],
  parked: ['violet', IconPlayerPause],
  stopped: ['grey', IconPlayerStop],
  logged_out: ['outline', IconUnlink],
  quarantined: ['red', IconAlertTriangle],
}

/** The order in which states are listed and stacked: what needs a person last. */
export const sessionStates = Object.keys(sessions) as SessionStatus[]

export function toneOf(status: SessionStatus): Tone {
  return sessions[status]?.[0] ?? 'grey'
}

const others: Record<string, [Tone, Icon, boolean?]> = {
  // messages
  queued: ['grey', IconClock],
  held: ['violet', IconHourglass],
  sending: ['amber', IconPointFilled, true],
  sent: ['grey', IconCheck],
  delivered: ['green', IconChecks],
  read: ['blue', IconChecks],
  received: ['green', IconCheck],
  failed: ['red', IconX],
  unknown: ['amber', IconQuestionMark],
  expired: ['grey', IconClock],
  canceled: ['grey', IconBan],
  dead: ['red', IconAlertTriangle],
  // tenants, money, webhooks, deliveries, bridges
  active: ['green', IconCheck],
  suspended: ['outline', IconBan],
  grace: ['amber', IconClock],
  trialing: ['blue', IconClock],
  past_due: ['amber', IconClock],
  open: ['blue', IconClock],
  paid: ['green', IconCheck],
  void: ['grey', IconBan],
  uncollectible: ['red', IconX],
  disabled: ['outline', IconBan],
  failing: ['amber', IconAlertTriangle],
  pending: ['amber', IconPointFilled, true],
  skipped: ['grey', IconBan],
  revoked: ['grey', IconBan],
  ok: ['green', IconCheck],
  ready: ['green', IconCheck],
  up: ['green', IconCheck],
  in_process: ['green', IconCheck],
  idle: ['grey', IconPlayerPause],
  degraded: ['amber', IconAlertTriangle],
  down: ['red', IconX],
  restarting: ['amber', IconRefresh],
}

/** The state of a session. */
export function StatePill({ status }: { status: SessionStatus }) {
  const [tone, Mark, pulses] = sessions[status] ?? ['grey', IconLoader2]
  return <Drawn tone={tone} Mark={Mark} pulses={pulses} word={said(`status.${status}`)} />
}

/** Any other state that has a word. */
export function Pill({ status, word }: { status: string; word?: string }) {
  const [tone, Mark, pulses] = others[status] ?? ['grey', IconPointFilled]
  return <Drawn tone={tone} Mark={Mark} pulses={pulses} word={word ?? said(`status.${status}`)} />
}

/** A state's colour with words of one's own. */
export function Badge({ tone, children }: { tone: Tone; children: string }) {
  return (
    <span className={css.pill} data-tone={tone}>
      {children}
    </span>
  )
}

function Drawn({ tone, Mark, pulses, word }: { tone: Tone; Mark: Icon; pulses: boolean | undefined; word: string }) {
  return (
    <span className={css.pill} data-tone={tone}>
      <Mark size={12} stroke={2.4} aria-hidden className={pulses ? css.pulse : undefined} />
      {word}
    </span>
  )
}
