import { IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { api, got } from '../../api/client'
import { may, me } from '../../api/door'
import { usePaged } from '../../api/paged'
import type { TenantRecord } from '../../api/records'
import { plans } from '../../api/tenants'
import { usePlace } from '../../frame/place'
import { Button } from '../../pieces/button'
import { chosen, useChoice } from '../../pieces/columns'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { Choice, Filters, Search, useFilters } from '../../pieces/filters'
import { LimitBar } from '../../pieces/limit_bar'
import { ListTools } from '../../pieces/list_tools'
import { Pill } from '../../pieces/pill'
import { Heading } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Table, type Column } from '../../pieces/table'
import { t } from '../../words/speak'
import { NewTenant } from './new_tenant'

interface Wanted {
  q?: string | undefined
  status?: 'active' | 'suspended' | undefined
  plan?: string | undefined
  new?: string | undefined
}

export default function Tenants() {
  usePlace({ label: t('tenants.title') })
  const [wanted, want] = useFilters<Wanted>()
  const { data: self } = useQuery(me)
  const { data: known } = useQuery(plans)
  const query = {
    ...(wanted.q && { q: wanted.q }),
    ...(wanted.status && { status: wanted.status }),
    ...(wanted.plan && { plan: wanted.plan }),
  }
  const list = usePaged(['tenants', query], (cursor, signal) =>
    got(api.GET('/v1/admin/tenants', { params: { query: { ...query, ...(cursor && { cursor }), limit: 100 } }, signal })),
  )
  const choice = useChoice('tenants')
  const admin = may(self?.operator.role, 'admin')
  const filtered = Boolean(wanted.q ?? wanted.status ?? wanted.plan)
  return (
    <>
      <Heading title={t('tenants.title')}>
        {admin && (
          <Button icon={IconPlus} look="main" onClick={() => want({ new: '1' })}>
            {t('tenants.new')}
          </Button>
        )}
      </Heading>
      <Filters
        set={filtered}
        onClear={() => want({ q: undefined, status: undefined, plan: undefined })}
        tools={<ListTools list="tenants" columns={columns()} />}
      >
        <Search label={t('tenants.search')} value={wanted.q} onChange={(q) => want({ q })} />
        <Choice
          label={t('filter.status')}
          value={wanted.status}
          options={['active', 'suspended'].map((value) => ({ value, label: t(`status.${value}` as 'status.active') }))}
          onChange={(status) => want({ status: status as Wanted['status'] })}
        />
        <Choice
          label={t('tenants.plan')}
          value={wanted.plan}
          options={(known?.data ?? []).map((plan) => ({ value: plan.code, label: plan.name }))}
          onChange={(plan) => want({ plan })}
        />
      </Filters>
      {list.error && <ErrorCard error={list.error} retry={list.retry} />}
      {(!list.error || list.rows) && (
        <Table
          label={t('tenants.title')}
          columns={chosen(columns(), choice)}
          rows={list.rows}
          keyOf={(row) => row.id}
          to={(row) => ({ to: '/tenants/$tenant', params: { tenant: row.id } })}
          more={list.more}
          empty={
            filtered ? (
              <Empty text={t('tenants.none')} />
            ) : (
              <Empty text={t('overview.empty')} line="columba tenant create Acme --plan quickstart">
                {admin && (
                  <Button icon={IconPlus} onClick={() => want({ new: '1' })}>
                    {t('tenants.new')}
                  </Button>
                )}
              </Empty>
            )
          }
        />
      )}
      {wanted.new && admin && <NewTenant onClose={() => want({ new: undefined })} />}
    </>
  )
}

/** The state that matters most: what an operator decided, else what unpaid invoices brought. */
export function tenantState(row: Pick<TenantRecord, 'status' | 'standing'>): { status: string; word: string } {
  if (row.status === 'suspended') return { status: 'suspended', word: t('status.suspended') }
  if (row.standing === 'stopped') return { status: 'suspended', word: t('tenant.stopped') }
  if (row.standing === 'grace') return { status: 'grace', word: t('status.grace') }
  return { status: 'active', word: t('status.active') }
}

const columns = (): Column<TenantRecord>[] => [
  { key: 'name', text: true, head: t('tenants.name'), width: 'minmax(10rem, 1.6fr)', cell: (row) => row.name },
  { key: 'plan', head: t('tenants.plan'), width: 'minmax(6rem, 0.7fr)', cell: (row) => row.plan, narrow: 'below' },
  {
    key: 'status',
    head: t('filter.status'),
    width: '9rem',
    cell: (row) => {
      const { status, word } = tenantState(row)
      return <Pill status={status} word={word} />
    },
    narrow: 'aside',
  },
  {
    key: 'usage',
    head: t('tenants.usage'),
    width: 'minmax(9rem, 1fr)',
    cell: (row) =>
      row.usage ? (
        <LimitBar small label={t('tenants.usage')} used={row.usage.used} limit={row.usage.limit} />
      ) : (
        <span className="dim">–</span>
      ),
    narrow: 'hide',
  },
  { key: 'since', head: t('tenants.since'), width: '7.5rem', cell: (row) => <Since at={row.created_at} />, narrow: 'below' },
]
