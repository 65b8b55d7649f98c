// Whom a tenant's invoices are for.

import { IconPencil } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got } from '../../api/client'
import type { TenantRecord } from '../../api/records'
import type { components } from '../../api/schema'
import { profile } from '../../api/tenants'
import { Button } from '../../pieces/button'
import { Dialog } from '../../pieces/dialog'
import { ErrorCard } from '../../pieces/error_card'
import { NumberInput, Textarea, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Fact, Facts, Section } from '../../pieces/section'
import { Skeleton } from '../../pieces/skeleton'
import { toast } from '../../pieces/toast'
import { rate } from '../../words/amounts'
import { t } from '../../words/speak'

export function Profile({ tenant, admin }: { tenant: TenantRecord; admin: boolean }) {
  const { data, error, refetch } = useQuery(profile(tenant.id))
  const [editing, setEditing] = useState(false)
  return (
    <Section
      title={t('money.profile')}
      actions={
        admin &&
        data && (
          <Button icon={IconPencil} onClick={() => setEditing(true)}>
            {t('profile.edit')}
          </Button>
        )
      }
    >
      {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
      {!error && !data && <Skeleton lines={4} />}
      {data && (
        <Facts>
          <Fact name={t('money.name')}>
            <bdi>{data.party.name || tenant.name}</bdi> {!data.party.name && <span className="small dim">{t('profile.own_name')}</span>}
          </Fact>
          <Fact name={t('money.address')}>
            <bdi>{data.party.address.join(', ') || '–'}</bdi>
          </Fact>
          <Fact name={t('money.tax_id')}>
            <bdi>{data.party.tax_id ?? '–'}</bdi>
          </Fact>
          <Fact name={t('money.email')}>
            <bdi>{data.party.email ?? '–'}</bdi>
          </Fact>
          {data.tax_rate_bps !== null && <Fact name={t('profile.rate')}>{rate(data.tax_rate_bps)}</Fact>}
          {data.customer !== null && (
            <Fact name={t('profile.customer')}>
              <code>{data.customer}</code>
            </Fact>
          )}
        </Facts>
      )}
      {editing && data && <Edit tenant={tenant} was={data} onClose={() => setEditing(false)} />}
    </Section>
  )
}

function Edit({ tenant, was, onClose }: { tenant: TenantRecord; was: components['schemas']['BillingProfile']; onClose: () => void }) {
  const queries = useQueryClient()
  const [name, setName] = useState(was.party.name)
  const [address, setAddress] = useState(was.party.address.join('\n'))
  const [taxId, setTaxId] = useState(was.party.tax_id ?? '')
  const [email, setEmail] = useState(was.party.email ?? '')
  const [bps, setBps] = useState(was.tax_rate_bps)
  const lines = address
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  return (
    <Dialog title={t('profile.title')} onClose={onClose}>
      <Form
        act={t('do.save')}
        send={async () => {
          // PUT replaces all of it, and a first payment link may have made the customer meanwhile.
          const { customer } = await queries.fetchQuery({ ...profile(tenant.id), staleTime: 0 })
          const party = { name: name.trim(), address: lines, tax_id: taxId.trim() || null, email: email.trim() || null }
          const saved = await got(
            api.PUT('/v1/admin/tenants/{id}/billing-profile', {
              params: { path: { id: tenant.id } },
              body: { party, tax_rate_bps: bps, customer },
            }),
          )
          queries.setQueryData(profile(tenant.id).queryKey, saved)
        }}
        onSent={() => {
          toast({ text: t('do.saved') })
          onClose()
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => {
          const faults = lines.map((_, at) => ({ number: at + 1, fault: errorOf(`party/address/${at}`) }))
          const wrong = [errorOf('party/address'), ...faults.map(({ number, fault }) => fault && t('profile.line', { number, fault }))]
          return (
            <>
              <TextInput
                label={t('money.name')}
                description={t('profile.name.empty', { name: tenant.name })}
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
                error={errorOf('party/name')}
                autoComplete="off"
                autoFocus
              />
              <Textarea
                label={t('money.address')}
                description={t('profile.address.note')}
                value={address}
                onChange={(event) => setAddress(event.currentTarget.value)}
                error={wrong.filter(Boolean).join(' ') || undefined}
                rows={4}
              />
              <TextInput
                label={t('money.tax_id')}
                value={taxId}
                onChange={(event) => setTaxId(event.currentTarget.value)}
                error={errorOf('party/tax_id')}
                autoComplete="off"
              />
              <TextInput
                label={t('money.email')}
                value={email}
                onChange={(event) => setEmail(event.currentTarget.value)}
                error={errorOf('party/email')}
                inputMode="email"
                autoComplete="off"
              />
              <NumberInput
                label={t('profile.rate')}
                description={t('profile.rate.empty')}
                value={bps === null ? '' : bps / 100}
                onChange={(typed) => setBps(typed === '' ? null : Math.round(Number(typed) * 100))}
                error={errorOf('tax_rate_bps')}
                decimalScale={2}
                allowedDecimalSeparators={['.', ',']}
                allowNegative={false}
                rightSection={<span className="small dim">%</span>}
                hideControls
              />
            </>
          )
        }}
      </Form>
    </Dialog>
  )
}
