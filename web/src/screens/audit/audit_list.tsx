import { useQuery } from '@tanstack/react-query'
import { api, got } from '../../api/client'
import { usePaged } from '../../api/paged'
import type { components } from '../../api/schema'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { Choice, Filters, Search, useFilters } from '../../pieces/filters'
import { IdChip, shorten } from '../../pieces/id_chip'
import { Raw } from '../../pieces/raw'
import { Record } from '../../pieces/record'
import { Fact, Facts } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { beside, Table, type Column } from '../../pieces/table'
import { has, said, t } from '../../words/speak'
import { absolute } from '../../words/times'
import { Difference } from './difference'

type Entry = components['schemas']['AuditEntry']

interface Wanted {
  action?: string | undefined
  actor?: string | undefined
  subject?: string | undefined
  open?: string | undefined
}

const actions = [
  'tenant.create', 'tenant.update', 'tenant.suspend', 'tenant.resume', 'tenant.delete', 'plan.create', 'plan.replace', 'plan.delete', 'key.create',
  'key.rotate', 'key.revoke', 'operator.create', 'operator.delete', 'subscription.change', 'subscription.end', 'subscription.reactivate',
  'billing.profile', 'invoice.pay', 'invoice.credit', 'invoice.void', 'invoice.write_off', 'ledger.adjust', 'store.restore',
  'session.pairing_code',
  'session.pairing_link',
  'session.pairing_link_used',
  'session.pairing_link_reported',
  'store.backup',
  'operator.update',
  'operator.invite',
  'operator.welcome',
  'operator.sign_in',
  'operator.sign_out',
  'operator.step_up',
  'operator.password',
  'operator.second_factor',
  'look.open',
  'look.end',
  'tenant.on_behalf', 'call.refused',
] // prettier-ignore

/** What operators did, newest first: to anything, or to a tenant. */
export function AuditList({ tenant }: { tenant?: string }) {
  const [wanted, want] = useFilters<Wanted>()
  const query = {
    ...(wanted.action && { action: wanted.action }),
    ...(wanted.actor && { actor: wanted.actor }),
    ...(wanted.subject && { subject: wanted.subject }),
    ...(tenant && { tenant }),
    order: 'desc',
  }
  const list = usePaged(['audit', query], (cursor, signal) =>
    got(api.GET('/v1/admin/audit', { params: { query: { ...query, ...(cursor && { cursor }), limit: 100 } as never }, signal })),
  )
  const shown = list.rows?.find((row) => String(row.seq) === wanted.open)
  const filtered = Boolean(wanted.action ?? wanted.actor ?? wanted.subject)
  return (
    <>
      <Filters set={filtered} onClear={() => want({ action: undefined, actor: undefined, subject: undefined })}>
        <Search label={t('audit.search')} value={wanted.subject} onChange={(next) => want({ subject: next })} />
        <Choice
          label={t('audit.action')}
          value={wanted.action}
          options={actions.map((value) => ({ value, label: wordOf(value) }))}
          onChange={(action) => want({ action })}
        />
      </Filters>
      {list.error && <ErrorCard error={list.error} retry={list.retry} />}
      {(!list.error || list.rows) && (
        <Table
          label={t('audit.title')}
          columns={columns()}
          rows={list.rows}
          keyOf={(row) => String(row.seq)}
          to={(row) => beside(String(row.seq))}
          open={wanted.open}
          more={list.more}
          empty={<Empty text={filtered ? t('audit.none') : t('audit.empty')} />}
        />
      )}
      {shown && <EntryView entry={shown} onClose={() => want({ open: undefined })} />}
    </>
  )
}

function wordOf(action: string): string {
  return has(`audit.did.${action}`) ? said(`audit.did.${action}`) : action
}

function kindOf({ subject: { kind } }: Entry): string {
  return has(`audit.kind.${kind}`) ? said(`audit.kind.${kind}`) : kind
}

/** A call is read from its front; only the ids in it are long. */
function callOf(call: string): string {
  return call.replace('/v1/', '/').replaceAll(/[a-z]+_[0-9a-f]{32}/g, shorten)
}

function EntryView({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const { data: head } = useQuery({
    queryKey: ['audit', 'head'],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/audit/head', { signal })),
  })
  return (
    <Record title={wordOf(entry.action)} lead={<code className="small dim">{entry.action}</code>} onClose={onClose}>
      <Facts>
        <Fact name={t('audit.who')}>
          {entry.actor.name} {entry.address && <code className="dim">{entry.address}</code>}
        </Fact>
        <Fact name={t('audit.when')}>{absolute(Date.parse(entry.at))}</Fact>
        <Fact name={t('audit.what')}>
          {entry.subject.kind === 'call' ? (
            <code dir="ltr">{entry.subject.id}</code>
          ) : (
            <>
              {kindOf(entry)} <IdChip id={entry.subject.id} />
            </>
          )}
        </Fact>
        {entry.request_id && (
          <Fact name={t('error.request')}>
            <IdChip id={entry.request_id} whole />
          </Fact>
        )}
        <Fact name={t('audit.number')}>
          {t('audit.number.of', { seq: entry.seq, last: head?.seq ?? entry.seq })} <IdChip id={entry.hash} />
        </Fact>
      </Facts>
      <h3>{t('audit.difference')}</h3>
      <Difference before={entry.before} after={entry.after} />
      <h3>{t('record.raw')}</h3>
      <Raw value={entry} />
    </Record>
  )
}

const columns = (): Column<Entry>[] => [
  { key: 'action', head: t('audit.action'), width: 'minmax(10rem, 1.2fr)', cell: (row) => wordOf(row.action) },
  { key: 'who', head: t('audit.who'), width: 'minmax(7rem, 0.8fr)', cell: (row) => row.actor.name, narrow: 'below' },
  {
    key: 'subject',
    text: true,
    head: t('audit.what'),
    width: 'minmax(10rem, 1fr)',
    cell: (row) => (
      <span className="dim">
        {row.subject.kind !== 'call' && kindOf(row)}{' '}
        <span className="mono" dir="ltr" data-tip={row.subject.id}>
          {row.subject.kind === 'call' ? callOf(row.subject.id) : shorten(row.subject.id)}
        </span>
      </span>
    ),
    narrow: 'below',
  },
  {
    key: 'address',
    spare: true,
    head: t('audit.address'),
    width: '9rem',
    cell: (row) => <code className="dim">{row.address ?? ''}</code>,
    narrow: 'hide',
  },
  { key: 'at', head: t('audit.when'), width: '7.5rem', cell: (row) => <Since at={row.at} />, narrow: 'aside' },
]
