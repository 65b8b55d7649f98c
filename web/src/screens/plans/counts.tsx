// The numbers of a plan, in the groups that its form and its facts show them in.

import { NumberInput } from '../../pieces/fields'
import { Fact } from '../../pieces/section'
import { mebibytes, number } from '../../words/amounts'
import { t, type Key } from '../../words/speak'
import type { Plan } from './plans'

export type Field =
  | 'trial_days'
  | 'messages_per_month'
  | 'sessions_max'
  | 'webhooks_max'
  | 'seats_max'
  | 'retention_days'
  | 'messages_per_minute'
  | 'messages_per_minute_tenant'
  | 'queue_max'
  | 'first_contacts_per_day'
  | 'media_bytes_max'
  | 'media_bytes_total'

interface Count {
  field: Field
  label: Key
  note?: Key
  /** What it means to leave it out; without this it has to be said. */
  none?: Key
  /** Kept in bytes, and typed in MiB. */
  mebibytes?: true
}

export const trial: Count[] = [{ field: 'trial_days', label: 'plan.trial' }]

export const included: Count[] = [
  { field: 'messages_per_month', label: 'plan.per_month', note: 'plan.next_period' },
  { field: 'sessions_max', label: 'plan.sessions' },
  { field: 'webhooks_max', label: 'webhooks.title', note: 'plan.webhooks.note' },
  { field: 'seats_max', label: 'plan.seats', note: 'plan.seats.note', none: 'plan.none' },
  { field: 'retention_days', label: 'plan.retention' },
]

export const bounds: Count[] = [
  { field: 'messages_per_minute', label: 'plan.per_minute', note: 'plan.at_once' },
  { field: 'messages_per_minute_tenant', label: 'plan.per_minute_tenant', none: 'plan.none' },
  { field: 'queue_max', label: 'plan.queue' },
  { field: 'first_contacts_per_day', label: 'plan.strangers', none: 'plan.strangers.none' },
  { field: 'media_bytes_max', label: 'plan.media_max', note: 'plan.media_max.note', mebibytes: true },
  { field: 'media_bytes_total', label: 'plan.media_total', mebibytes: true },
]

const mebibyte = 2 ** 20

export function CountInputs({
  counts,
  values,
  onChange,
  errorOf,
}: {
  counts: Count[]
  values: { [field in Field]: number | null }
  onChange: (change: { [field in Field]?: number | null }) => void
  errorOf: (pointer: string) => string | undefined
}) {
  return counts.map(({ field, label, note, none, mebibytes }) => {
    const value = values[field]
    const unit = mebibytes ? mebibyte : 1
    return (
      <NumberInput
        key={field}
        label={t(label)}
        description={note && t(note)}
        placeholder={none && t(none)}
        // A power of two goes both ways without loss.
        value={value === null ? '' : value / unit}
        onChange={(typed) => onChange({ [field]: typed === '' ? null : Math.round(Number(typed) * unit) })}
        error={errorOf(field)}
        min={0}
        allowDecimal={mebibytes ?? false}
        allowedDecimalSeparators={['.', ',']}
        rightSection={mebibytes && <span className="small dim">MiB</span>}
        rightSectionWidth={48}
        hideControls
        required={none === undefined}
      />
    )
  })
}

export function CountFacts({ counts, plan }: { counts: Count[]; plan: Plan }) {
  return counts.map(({ field, label, none, mebibytes: sized }) => {
    const value = plan[field]
    return (
      <Fact key={field} name={t(label)}>
        {value === null ? none && t(none) : sized ? mebibytes(value) : number(value)}
      </Fact>
    )
  })
}
