import { IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got } from '../../api/client'
import { may, me } from '../../api/door'
import { useLook } from '../../api/look'
import { usePaged } from '../../api/paged'
import type { FleetWebhook } from '../../api/records'
import { Button } from '../../pieces/button'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { Choice, Filters, useFilters } from '../../pieces/filters'
import { Pill } from '../../pieces/pill'
import { Since } from '../../pieces/since'
import { beside, Table, type Column } from '../../pieces/table'
import { TenantName } from '../../pieces/tenant_link'
import { number } from '../../words/amounts'
import { said, t } from '../../words/speak'
import { Secret } from '../tenant/keys'
import { EndpointForm } from './endpoint_form'
import { WebhookDrawer } from './webhook_drawer'

interface Wanted {
  state?: 'active' | 'failing' | 'disabled' | undefined
  tenant?: string | undefined
  open?: string | undefined
}

/** Endpoints of all tenants, or of one. */
export function WebhookList({ tenant }: { tenant?: string }) {
  const { data: self } = useQuery(me)
  const look = useLook()
  const [wanted, want] = useFilters<Wanted>()
  const [making, setMaking] = useState(false)
  const [secret, setSecret] = useState<string | null>(null)
  const of = tenant ?? wanted.tenant
  const query = { ...(of && { tenant: of }), ...(wanted.state && { state: wanted.state }) }
  const list = usePaged(
    ['webhooks', query],
    (cursor, signal) =>
      got(api.GET('/v1/admin/webhooks', { params: { query: { ...query, ...(cursor && { cursor }), limit: 100 } }, signal })),
    { refetchInterval: 30_000 },
  )
  const shown = list.rows?.find((row) => row.id === wanted.open)
  // Whose it would be is known within a tenant's own screen only.
  const makes = tenant !== undefined && look?.tenant !== tenant && may(self?.operator.role, 'admin')
  const filtered = Boolean(wanted.state ?? (tenant ? undefined : wanted.tenant))
  return (
    <>
      <Filters set={filtered} onClear={() => want({ state: undefined, tenant: undefined })}>
        <Choice
          label={t('filter.status')}
          value={wanted.state}
          options={['active', 'failing', 'disabled'].map((value) => ({ value, label: said(`status.${value}`) }))}
          onChange={(state) => want({ state: state as Wanted['state'] })}
        />
        {makes && (
          <Button icon={IconPlus} onClick={() => setMaking(true)}>
            {t('webhooks.new')}
          </Button>
        )}
      </Filters>
      {list.error && <ErrorCard error={list.error} retry={list.retry} />}
      {(!list.error || list.rows) && (
        <Table
          label={t('webhooks.title')}
          columns={columns(tenant !== undefined)}
          rows={list.rows}
          keyOf={(row) => row.id}
          to={(row) => beside(row.id)}
          open={wanted.open}
          more={list.more}
          empty={
            <Empty text={filtered ? t('webhooks.none') : t('webhooks.empty')} line="columba webhook create https://example.com/columba" />
          }
        />
      )}
      {making && tenant && (
        <EndpointForm
          tenant={tenant}
          onClose={() => setMaking(false)}
          onMade={(id, made) => {
            setSecret(made)
            want({ open: id })
          }}
        />
      )}
      {secret !== null && <Secret title={t('webhooks.secret.first')} secret={secret} onClose={() => setSecret(null)} />}
      {shown && <WebhookDrawer key={shown.id} webhook={shown} onClose={() => want({ open: undefined })} />}
    </>
  )
}

/** Failing is not a state of its own on the server, but it is what people look for. */
export function webhookState(row: FleetWebhook): string {
  if (row.status === 'disabled') return 'disabled'
  return row.health.failing_since ? 'failing' : 'active'
}

const columns = (within: boolean): Column<FleetWebhook>[] => [
  { key: 'host', head: t('webhooks.url'), width: 'minmax(12rem, 2fr)', cell: (row) => <span dir="ltr">{row.url}</span> },
  ...(within
    ? []
    : [
        {
          key: 'tenant',
          text: true,
          head: t('sessions.tenant'),
          width: 'minmax(8rem, 1fr)',
          cell: (row: FleetWebhook) => row.tenant_name ?? <TenantName id={row.tenant} />,
          narrow: 'below' as const,
        },
      ]),
  { key: 'state', head: t('filter.status'), width: '8rem', cell: (row) => <Pill status={webhookState(row)} />, narrow: 'aside' },
  {
    key: 'failures',
    head: t('webhooks.failures'),
    width: '6.5rem',
    end: true,
    cell: (row) => (row.health.failures > 0 ? number(row.health.failures) : <span className="dim">0</span>),
    narrow: 'hide',
  },
  { key: 'since', head: t('webhooks.failing'), width: '8rem', cell: (row) => <Since at={row.health.failing_since} />, narrow: 'below' },
  {
    key: 'events',
    spare: true,
    head: t('webhooks.events'),
    width: 'minmax(8rem, 1fr)',
    cell: (row) => (
      <code className="dim" dir="ltr">
        {row.events.join(' ')}
      </code>
    ),
    narrow: 'hide',
  },
]
