// The records that screens speak of, by the names of the API's description.

import type { components } from './schema'

type Schemas = components['schemas']

export type Time = string
export type SessionStatus = Schemas['SessionStatus']
export type SessionRecord = Schemas['Session']
/** A session of the fleet always says whose it is; the name is missing only while its tenant is being deleted. */
export type FleetSession = Omit<Schemas['FleetSession'], 'tenant'> & { tenant: string }
export type MessageRecord = Schemas['MessageOutline']
export type Stop = Schemas['MessageStop']
export type RateWindow = Schemas['RateWindow']
export type Stretch = Schemas['Spell']
export type Overview = Schemas['Overview']
export type Incident = Schemas['Incident']
export type Counts = Partial<Record<SessionStatus, number>>
export type Transport = Schemas['Transport']
export type FleetWebhook = Schemas['FleetWebhook']
export type TenantRecord = Schemas['Tenant'] & { usage?: { used: number; limit: number } }
export type OperatorSelf = Schemas['Account']
export type OperatorRecord = Schemas['Operator']
export type SignedIn = Schemas['SignedIn']
export type Look = Schemas['Look']
export type PairPeek = Schemas['PairingPeek']
export type PairState = Schemas['PairingState']

/** What a list of sessions is asked for. */
export interface FleetQuery {
  tenant?: string
  status?: SessionStatus
  reason?: Schemas['Reason']
  engine?: Schemas['Engine']
  q?: string
  restricted?: boolean
  sort?: Schemas['FleetSort']
  order?: 'asc' | 'desc'
}

/** What a list of messages is asked for. */
export interface MessageQuery {
  tenant?: string
  session?: string
  status?: Schemas['MessageStatus']
  direction?: Schemas['Direction']
  chat?: string
  id?: string
  wa_id?: string
  client_ref?: string
  from?: Time
  until?: Time
}

/** A page of a list. */
export interface Page<T> {
  data: T[]
  next_cursor: string | null
  has_more: boolean
}
