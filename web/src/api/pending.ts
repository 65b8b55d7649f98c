// What the contract promises and the OpenAPI document does not have yet, in the shape its generator writes. Each entry goes when
// the document has it.

import type { components } from './schema'

type Schemas = components['schemas']
export type SessionStatus = Schemas['SessionStatus']
export type SessionRecord = Omit<Schemas['Session'], 'release'> & { release: string | null }
export type MessageRecord = Schemas['Message'] & { redacted?: boolean; tenant?: string }
export type Time = string

export interface OperatorSelf {
  id: string
  name: string
  email: string | null
  role: 'owner' | 'admin' | 'support' | 'viewer'
  totp: boolean
  recovery_codes_left: number
}
export interface SignedIn {
  operator: OperatorSelf
  csrf: string
}
export interface Me extends SignedIn {
  stepped_up_until: Time | null
}
export interface SignIn {
  id: string
  created_at: Time
  seen_at: Time
  address: string | null
  agent: string | null
  current: boolean
}
export interface OperatorRecord {
  id: string
  name: string
  email?: string | null
  role: OperatorSelf['role']
  created_at: Time | null
  expires_at: Time | null
  revoked_at: Time | null
}
export interface Look {
  id: string
  tenant: string
  reason: string
  until: Time
}

export type Counts = Partial<Record<SessionStatus, number>>
export interface Incident {
  at: Time
  kind: string
  tenant?: string | null
  session?: string | null
  count: number
  since: Time | null
  text: string
  next: string
}
export interface Trouble {
  tenant: string
  name: string
  score: number
  restricted: number
  logged_out: number
  failing_webhooks: number
  failed_messages: number
}
export interface Overview {
  at: Time
  sessions: {
    total: number | null
    by_status: Counts
    restricted: number | null
    history: { at: Time; by_status: Counts }[]
  }
  messages: {
    per_minute: number | null
    per_minute_history: (number | null)[]
    queued: number | null
    held: number | null
    held_by_rule: Record<string, number>
    accept_to_sent_p95_ms: number | null
  }
  webhooks: { failed_1h: number | null; attempts_1h: number | null; disabled: number | null }
  transports: { engine: string; release: string | null; sessions: number }[]
  tenants: { total: number | null; suspended: number | null }
  incidents: Incident[]
  trouble: Trouble[]
}
export type FleetSession = SessionRecord & {
  tenant: string
  tenant_name: string
  queued: number
  last_activity_at: Time | null
}
export interface Page<T> {
  data: T[]
  next_cursor: string | null
  has_more: boolean
}
export interface FleetQuery {
  tenant?: string
  status?: SessionStatus
  reason?: string
  engine?: string
  q?: string
  restricted?: boolean
  sort?: 'since' | 'label' | 'tenant' | 'queued' | 'status'
  order?: 'asc' | 'desc'
  limit?: number
  cursor?: string
}
export interface MessageQuery {
  tenant?: string
  session?: string
  status?: string
  direction?: string
  chat?: string
  to?: string
  id?: string
  wa_id?: string
  client_ref?: string
  from?: string
  until?: string
  limit?: number
  cursor?: string
}
export interface Stop {
  stop: string
  at: Time
  ms: number | null
}
export interface RateWindow {
  now: Time
  span_s: number
  cap: number
  attempts: Time[]
  next_slot_at: Time | null
  queue: { queued: number; held: number; head: { id: string; status: string; reason: string | null; until: Time | null } | null }
}
export interface Stretch {
  status: SessionStatus
  reason: string | null
  since: Time
  until: Time | null
}
export interface Transport {
  engine: string
  release: string | null
  experimental: boolean
  checksum: string | null
  state: string
  shards: {
    id: string
    sessions: number
    since: Time
    restarts: number
    last_beat_ms: number | null
    resident_bytes?: number | null
  }[]
  capabilities: string[]
  warning: string | null
}
export interface System {
  ready: boolean
  checks: Record<string, string>
  version: string
  uptime_s: number
  config: { key: string; value: string; source: string }[]
  store: { backend: string; bytes: number | null; schema: string | number | null }
  node: string | null
}
export interface Backup {
  path: string
  bytes: number
  at?: Time
}
export type FleetWebhook = Schemas['Webhook'] & { tenant: string; tenant_name?: string }
export interface TenantRecord extends Omit<Schemas['Tenant'], 'id'> {
  id: string
  usage?: { used: number; limit: number; held?: number } | null
}
export interface PairingLink {
  id: string
  url: string
  expires_at: Time
}
export interface PairPeek {
  tenant: string
  session: string
  expires_at: Time
  warning: string | null
  state: 'open' | 'used' | 'expired'
}
export interface PairState {
  status: SessionStatus
  step: 'waiting' | 'scanned' | 'syncing' | 'connected'
  qr: { code: string; svg?: string; expires_at: Time; attempt: number; of: number } | null
  reason: string | null
}

type None = never
type Parameters<Query, Path> = { query?: Query; header?: None; cookie?: None } & ([Path] extends [undefined]
  ? { path?: None }
  : { path: Path })
type Answered<Answer> = { 200: { headers: Record<string, unknown>; content: { 'application/json': Answer } } }
type Call<Query, Path, Body, Answer> = {
  parameters: Parameters<Query, Path>
  responses: Answered<Answer>
} & ([Body] extends [undefined] ? { requestBody?: None } : { requestBody: { content: { 'application/json': Body } } })
type Read<Answer, Query = None, Path = undefined> = Call<Query, Path, undefined, Answer>
type Id = { id: string }
type List<T> = { data: T[] }

export interface PendingPaths {
  '/v1/admin/door': { get: Read<{ setup: boolean; version: string }> }
  '/v1/admin/door/setup': {
    post: Call<None, undefined, { token: string; name: string; email: string; password: string }, SignedIn>
  }
  '/v1/admin/door/welcome': { post: Call<None, undefined, { token: string; password: string }, SignedIn> }
  '/v1/admin/door/sign-in': {
    post: Call<None, undefined, { email: string; password: string; totp?: string; recovery_code?: string }, SignedIn>
  }
  '/v1/admin/me': { get: Read<Me> }
  '/v1/admin/me/sign-out': { post: Call<None, undefined, undefined, undefined> }
  '/v1/admin/me/sign-out-everywhere': { post: Call<None, undefined, undefined, undefined> }
  '/v1/admin/me/sign-ins': { get: Read<List<SignIn>> }
  '/v1/admin/me/sign-ins/{id}': { delete: Call<None, Id, undefined, undefined> }
  '/v1/admin/me/step-up': { post: Call<None, undefined, { password: string; totp?: string }, { stepped_up_until: Time }> }
  '/v1/admin/me/password': { post: Call<None, undefined, { current: string; new: string }, undefined> }
  '/v1/admin/me/totp': {
    post: Call<None, undefined, undefined, { secret: string; uri: string; qr_svg: string }>
    delete: Call<None, undefined, undefined, undefined>
  }
  '/v1/admin/me/totp/confirm': { post: Call<None, undefined, { code: string }, { recovery_codes: string[] }> }
  '/v1/admin/operators': {
    get: Read<Page<OperatorRecord>, { limit?: number; cursor?: string }>
    post: Call<
      None,
      undefined,
      { name: string; email?: string; role: OperatorSelf['role'] },
      OperatorRecord & { invitation?: string; token?: string | null }
    >
  }
  '/v1/admin/operators/{id}': {
    patch: Call<None, Id, { name?: string; role?: OperatorSelf['role'] }, OperatorRecord>
    delete: Call<None, Id, undefined, undefined>
  }
  '/v1/admin/operators/{id}/invitation': { post: Call<None, Id, undefined, { invitation: string }> }
  '/v1/admin/tenants': {
    get: Read<Page<TenantRecord>, { q?: string; status?: string; plan?: string; limit?: number; cursor?: string }>
    post: Call<None, undefined, { name: string; plan: string }, TenantRecord>
  }
  '/v1/admin/tenants/{id}/looks': { post: Call<None, Id, { reason: string }, Look> }
  '/v1/admin/looks/{id}': { delete: Call<None, Id, undefined, undefined> }
  '/v1/audit': { get: Read<Page<Schemas['AuditEntry']>, { limit?: number; cursor?: string }> }
  '/v1/admin/overview': { get: Read<Overview> }
  '/v1/admin/sessions': { get: Read<Page<FleetSession>, FleetQuery> }
  '/v1/admin/sessions/{id}': { get: Read<FleetSession, None, Id> }
  '/v1/admin/messages': { get: Read<Page<MessageRecord>, MessageQuery> }
  '/v1/admin/messages/{id}': { get: Read<MessageRecord & { life: Stop[] }, None, Id> }
  '/v1/admin/webhooks': { get: Read<Page<FleetWebhook>, { tenant?: string; state?: string; limit?: number; cursor?: string }> }
  '/v1/admin/transports': { get: Read<List<Transport>> }
  '/v1/admin/system': { get: Read<System> }
  '/v1/admin/backups': { get: Read<List<Backup>>; post: Call<None, undefined, undefined, Backup> }
  '/v1/admin/feed/tickets': { post: Call<None, undefined, undefined, { ticket: string; expires_at: Time }> }
  '/v1/sessions/{id}/window': { get: Read<RateWindow, None, Id> }
  '/v1/sessions/{id}/timeline': { get: Read<Page<Stretch>, { limit?: number; cursor?: string }, Id> }
  '/v1/messages/{id}/resend': { post: Call<None, Id, undefined, MessageRecord> }
  '/v1/sessions/{id}/pairing-links': {
    post: Call<None, Id, undefined, PairingLink>
    delete: Call<None, Id, undefined, undefined>
  }
}
