// One tenant: usage against plan first, then its sessions, money, keys, and what was done.

import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useLook } from '../../api/look'
import type { TenantRecord } from '../../api/records'
import { tenant } from '../../api/tenants'
import { usePlace } from '../../frame/place'
import { ErrorCard } from '../../pieces/error_card'
import { IdChip } from '../../pieces/id_chip'
import { Pill } from '../../pieces/pill'
import { Heading, Notice, Section } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { Tabs, useTab } from '../../pieces/tabs'
import { t } from '../../words/speak'
import { AuditList } from '../audit/audit_list'
import { InvoiceList } from '../invoices/invoice_list'
import { MessageList } from '../messages/message_list'
import { SessionList } from '../sessions/sessions'
import { tenantState } from '../tenants/tenants'
import { WebhookList } from '../webhooks/webhook_list'
import { Keys } from './keys'
import { LookButton } from './look'
import { Money } from './money'
import { StopList } from './stop_list'
import { TenantSettings } from './tenant_settings'
import { UsageView } from './usage_view'

export default function Tenant() {
  const { tenant: id } = useParams({ strict: false }) as { tenant: string }
  const { data, error, refetch } = useQuery(tenant(id))
  usePlace({ label: t('tenants.title'), to: { to: '/tenants' } }, { label: data?.name ?? '…' })
  if (error && !data) return <ErrorCard error={error} retry={() => void refetch()} />
  if (!data) {
    return (
      <Section>
        <Skeleton lines={8} height={320} />
      </Section>
    )
  }
  return <Shown key={id} record={data} />
}

function Shown({ record }: { record: TenantRecord }) {
  const look = useLook()
  const tabs = [
    { key: 'usage', label: t('tenant.usage') },
    { key: 'sessions', label: t('sessions.title') },
    { key: 'messages', label: t('messages.title') },
    { key: 'stop', label: t('stop.title') },
    { key: 'webhooks', label: t('webhooks.title') },
    { key: 'money', label: t('tenant.money') },
    { key: 'invoices', label: t('invoices.title') },
    { key: 'keys', label: t('tenant.keys') },
    { key: 'audit', label: t('audit.title') },
    { key: 'settings', label: t('session.settings') },
  ]
  const [tab, choose] = useTab(tabs)
  const { status, word } = tenantState(record)
  return (
    <>
      <Heading
        title={record.name}
        state={<Pill status={status} word={word} />}
        facts={
          <>
            <span>
              {t('tenants.plan')} {record.plan}
            </span>
            <span>
              {t('tenant.since')} <Since at={record.created_at} />
            </span>
            <IdChip id={record.id} />
          </>
        }
      >
        {look?.tenant !== record.id && <LookButton tenant={record.id} name={record.name} />}
      </Heading>
      {record.status === 'suspended' && <Notice tone="red">{t('tenant.is_suspended')}</Notice>}
      {record.standing === 'grace' && <Notice tone="amber">{t('tenant.is_grace')}</Notice>}
      {record.standing === 'stopped' && <Notice tone="red">{t('tenant.is_stopped')}</Notice>}
      <Tabs label={record.name} tabs={tabs} chosen={tab} onChoose={choose} />
      {tab === 'usage' && <UsageView tenant={record} />}
      {tab === 'sessions' && <SessionList tenant={record.id} />}
      {tab === 'messages' && <MessageList tenant={record.id} />}
      {tab === 'stop' && <StopList tenant={record} />}
      {tab === 'webhooks' && <WebhookList tenant={record.id} />}
      {tab === 'money' && <Money tenant={record} />}
      {tab === 'invoices' && <InvoiceList tenant={record.id} />}
      {tab === 'keys' && <Keys tenant={record} />}
      {tab === 'audit' && <AuditList tenant={record.id} />}
      {tab === 'settings' && <TenantSettings tenant={record} />}
    </>
  )
}
