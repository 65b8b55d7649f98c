import { api, got } from '../../api/client'
import { usePaged } from '../../api/paged'
import type { components } from '../../api/schema'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { Choice, Filters, useFilters } from '../../pieces/filters'
import { Pill } from '../../pieces/pill'
import { beside, Table, type Column } from '../../pieces/table'
import { TenantName } from '../../pieces/tenant_link'
import { money } from '../../words/amounts'
import { said, t } from '../../words/speak'
import { day } from '../../words/times'
import { InvoiceDrawer } from './invoice_drawer'

export type Invoice = components['schemas']['InvoiceRecord']

interface Wanted {
  status?: string | undefined
  tenant?: string | undefined
  open?: string | undefined
}

/** Invoices of all tenants, or of one. */
export function InvoiceList({ tenant }: { tenant?: string }) {
  const [wanted, want] = useFilters<Wanted>()
  const of = tenant ?? wanted.tenant
  const query = { ...(of && { tenant: of }), ...(wanted.status && { status: wanted.status }) }
  const list = usePaged(['invoices', query], (cursor, signal) =>
    got(api.GET('/v1/admin/invoices', { params: { query: { ...query, ...(cursor && { cursor }), limit: 100 } as never }, signal })),
  )
  const filtered = Boolean(wanted.status ?? (tenant ? undefined : wanted.tenant))
  return (
    <>
      <Filters set={filtered} onClear={() => want({ status: undefined, tenant: undefined })}>
        <Choice
          label={t('filter.status')}
          value={wanted.status}
          options={['open', 'paid', 'void', 'uncollectible'].map((value) => ({ value, label: said(`status.${value}`) }))}
          onChange={(status) => want({ status })}
        />
      </Filters>
      {list.error && <ErrorCard error={list.error} retry={list.retry} />}
      {(!list.error || list.rows) && (
        <Table
          label={t('invoices.title')}
          columns={columns(tenant !== undefined)}
          rows={list.rows}
          keyOf={(row) => row.id}
          to={(row) => beside(row.id)}
          open={wanted.open}
          more={list.more}
          empty={<Empty text={filtered ? t('invoices.none') : t('invoices.empty')} />}
        />
      )}
      {wanted.open && <InvoiceDrawer key={wanted.open} id={wanted.open} onClose={() => want({ open: undefined })} />}
    </>
  )
}

const columns = (within: boolean): Column<Invoice>[] => [
  { key: 'number', head: t('invoices.number'), width: 'minmax(9rem, 1fr)', cell: (row) => <span dir="ltr">{row.number}</span> },
  ...(within
    ? []
    : [
        {
          key: 'tenant',
          text: true,
          head: t('sessions.tenant'),
          width: 'minmax(9rem, 1.4fr)',
          cell: (row: Invoice) => <TenantName id={row.tenant} />,
          narrow: 'below' as const,
        },
      ]),
  { key: 'status', head: t('filter.status'), width: '8rem', cell: (row) => <Pill status={row.status} />, narrow: 'aside' },
  { key: 'issued', head: t('invoices.issued'), width: '8rem', cell: (row) => day(row.issued_at), narrow: 'below' },
  { key: 'due', spare: true, head: t('invoices.due'), width: '8rem', cell: (row) => day(row.due_at), narrow: 'hide' },
  {
    key: 'total',
    head: t('invoices.total'),
    width: '8rem',
    end: true,
    cell: (row) => money(row.total_minor, row.currency),
    narrow: 'below',
  },
  {
    key: 'left',
    head: t('invoices.left'),
    width: '8rem',
    end: true,
    cell: (row) => (row.due_minor > 0 ? <strong>{money(row.due_minor, row.currency)}</strong> : <span className="dim">–</span>),
    narrow: 'hide',
  },
]
