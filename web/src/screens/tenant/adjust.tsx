// What an operator adds to a tenant's ledger by hand: a credit, or that money went back.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, guarded, requestKey } from '../../api/client'
import type { TenantRecord } from '../../api/records'
import { credits } from '../../api/tenants'
import { AmountInput, isAmount } from '../../pieces/amount_input'
import { Button, Buttons } from '../../pieces/button'
import { Dialog } from '../../pieces/dialog'
import { ErrorCard } from '../../pieces/error_card'
import { NativeSelect, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Skeleton } from '../../pieces/skeleton'
import { toast } from '../../pieces/toast'
import { money } from '../../words/amounts'
import { t } from '../../words/speak'
import { renew } from './agreement'

export type Kind = 'credit' | 'refund'

/** Asks how much; a refund is at most what is in credit. */
export function Adjust({
  kind,
  tenant,
  currencies,
  onClose,
}: {
  kind: Kind
  tenant: TenantRecord
  currencies: string[]
  onClose: () => void
}) {
  const { data: credit, error, refetch } = useQuery(credits(tenant.id))
  const offered = kind === 'credit' ? currencies : Object.keys(credit ?? {}).filter((currency) => (credit?.[currency] ?? 0) > 0)
  return (
    <Dialog title={t(`adjust.${kind}`)} onClose={onClose}>
      {error && !credit && <ErrorCard error={error} retry={() => void refetch()} />}
      {!error && !credit && <Skeleton lines={5} />}
      {credit && offered.length === 0 && (
        <>
          <p>{t('adjust.refund.none', { name: tenant.name })}</p>
          <Buttons>
            <Button onClick={onClose}>{t('do.close')}</Button>
          </Buttons>
        </>
      )}
      {credit && offered.length > 0 && <Ask kind={kind} tenant={tenant} currencies={offered} credit={credit} onClose={onClose} />}
    </Dialog>
  )
}

function Ask({
  kind,
  tenant,
  currencies,
  credit,
  onClose,
}: {
  kind: Kind
  tenant: TenantRecord
  currencies: string[]
  credit: Record<string, number>
  onClose: () => void
}) {
  const queries = useQueryClient()
  const [currency, setCurrency] = useState(currencies[0] ?? '')
  const [minor, setMinor] = useState<number | null>(null)
  const [reference, setReference] = useState('')
  // One key for one entry: a button pressed twice is one.
  const [key] = useState(requestKey)
  const has = credit[currency] ?? 0
  const most = kind === 'refund' ? has : undefined
  const ready = isAmount(minor, most)
  const after = kind === 'refund' ? has - (minor ?? 0) : has + (minor ?? 0)
  return (
    <Form
      act={t(`adjust.${kind}.act`)}
      danger={kind === 'refund'}
      ready={ready}
      send={() => {
        const call = {
          params: { path: { id: tenant.id } },
          body: { amount_minor: minor ?? 0, currency, ...(reference.trim() && { reference: reference.trim() }) },
          headers: { 'Idempotency-Key': key },
        }
        return guarded(() =>
          kind === 'credit' ? api.POST('/v1/admin/tenants/{id}/credits', call) : api.POST('/v1/admin/tenants/{id}/refunds', call),
        )
      }}
      onSent={() => {
        toast({ text: t(`adjust.${kind}.done`, { amount: money(minor ?? 0, currency) }) })
        void renew(queries, tenant.id)
        onClose()
      }}
      onCancel={onClose}
      cancel={t('do.cancel')}
    >
      {(errorOf) => (
        <>
          {currencies.length > 1 && (
            <NativeSelect
              label={t('plan.currency')}
              value={currency}
              onChange={(event) => setCurrency(event.currentTarget.value)}
              error={errorOf('currency')}
              data={currencies}
            />
          )}
          <AmountInput
            label={t('money.amount')}
            description={kind === 'refund' ? t('adjust.refund.most', { most: money(has, currency) }) : undefined}
            currency={currency}
            minor={minor}
            onChange={setMinor}
            most={most}
            error={errorOf('amount_minor') ?? (currencies.length > 1 ? undefined : errorOf('currency'))}
            autoFocus
          />
          <TextInput
            label={t('money.reference')}
            description={t(`adjust.${kind}.reference`)}
            value={reference}
            onChange={(event) => setReference(event.currentTarget.value)}
            error={errorOf('reference')}
            maxLength={255}
          />
          <p role="status">
            {ready
              ? t(`adjust.${kind}.reach`, { amount: money(minor, currency), name: tenant.name, after: money(after, currency) })
              : t(`adjust.${kind}.what`)}
          </p>
        </>
      )}
    </Form>
  )
}
