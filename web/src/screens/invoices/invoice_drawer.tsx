import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded, requestKey } from '../../api/client'
import { may, me } from '../../api/door'
import type { components } from '../../api/schema'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { Dialog } from '../../pieces/dialog'
import { ErrorCard } from '../../pieces/error_card'
import { TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Pill } from '../../pieces/pill'
import { PlainTable } from '../../pieces/plain_table'
import { Raw } from '../../pieces/raw'
import { Record } from '../../pieces/record'
import { Fact, Facts } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { TenantLink } from '../../pieces/tenant_link'
import { toast } from '../../pieces/toast'
import { money, number } from '../../words/amounts'
import { t } from '../../words/speak'
import { day } from '../../words/times'

type Invoice = components['schemas']['InvoiceWithCreditNotes']

export function InvoiceDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['invoice', id],
    // The other form of it, a page to print, is what the description also knows.
    queryFn: async ({ signal }) => (await got(api.GET('/v1/admin/invoices/{id}', { params: { path: { id } }, signal }))) as Invoice,
  })
  return (
    <Record
      title={data ? data.number : t('invoices.one')}
      lead={data && <Pill status={data.status} />}
      onClose={onClose}
      actions={data && <Actions invoice={data} />}
    >
      {error && <ErrorCard error={error} retry={() => void refetch()} />}
      {!error && !data && <Skeleton lines={10} />}
      {data && <Paper invoice={data} />}
    </Record>
  )
}

function Paper({ invoice }: { invoice: Invoice }) {
  const amount = (minor: number) => money(minor, invoice.currency)
  return (
    <>
      <Facts>
        <Fact name={t('sessions.tenant')}>
          <TenantLink id={invoice.tenant} />
        </Fact>
        <Fact name={t('invoices.buyer')}>
          {invoice.buyer.name}
          {invoice.buyer.address.length > 0 && <span className="dim">, {invoice.buyer.address.join(', ')}</span>}
        </Fact>
        <Fact name={t('invoices.issued')}>{day(invoice.issued_at)}</Fact>
        <Fact name={t('invoices.due')}>
          {day(invoice.due_at)}{' '}
          {invoice.status === 'open' && (
            <span className="dim">
              <Since at={invoice.due_at} />
            </span>
          )}
        </Fact>
        {invoice.settled_at && (
          <Fact name={t('invoices.settled')}>
            <Since at={invoice.settled_at} />
          </Fact>
        )}
      </Facts>
      <h3>{t('invoices.lines')}</h3>
      <PlainTable label={t('invoices.lines')}>
        <tbody>
          {invoice.lines.map((line) => (
            <tr key={`${line.kind} ${line.text}`}>
              <td>
                {line.text} {line.quantity !== 1 && <span className="dim">× {number(line.quantity)}</span>}
              </td>
              <td data-end>{amount(line.amount_minor)}</td>
            </tr>
          ))}
          <tr>
            <td className="dim">{t('invoices.tax', { rate: number(invoice.tax_rate_bps / 100) })}</td>
            <td data-end>{amount(invoice.tax_minor)}</td>
          </tr>
          <tr>
            <td>
              <strong>{t('invoices.total')}</strong>
            </td>
            <td data-end>
              <strong>{amount(invoice.total_minor)}</strong>
            </td>
          </tr>
          {(
            [
              ['invoices.applied', invoice.applied_minor],
              ['invoices.paid', invoice.paid_minor],
              ['invoices.credited', invoice.credited_minor],
            ] as const
          )
            .filter(([, minor]) => minor > 0)
            .map(([word, minor]) => (
              <tr key={word}>
                <td className="dim">{t(word)}</td>
                <td data-end>−{amount(minor)}</td>
              </tr>
            ))}
          <tr>
            <td>
              <strong>{t('invoices.left')}</strong>
            </td>
            <td data-end>
              <strong>{amount(invoice.due_minor)}</strong>
            </td>
          </tr>
        </tbody>
      </PlainTable>
      {invoice.credit_notes.length > 0 && (
        <>
          <h3>{t('invoices.credit_notes')}</h3>
          <Facts>
            {invoice.credit_notes.map((note) => (
              <Fact key={note.id} name={note.number}>
                {amount(note.amount_minor)} <span className="dim">{note.reason}</span>
              </Fact>
            ))}
          </Facts>
        </>
      )}
      <h3>{t('record.raw')}</h3>
      <Raw value={invoice} />
    </>
  )
}

function Actions({ invoice }: { invoice: Invoice }) {
  const { data: self } = useQuery(me)
  const queries = useQueryClient()
  const [paying, setPaying] = useState(false)
  if (!may(self?.operator.role, 'admin') || invoice.status !== 'open') return null
  const path = { params: { path: { id: invoice.id } } }
  const renew = async () => {
    await queries.invalidateQueries({ queryKey: ['invoice', invoice.id] })
    void queries.invalidateQueries({ queryKey: ['invoices'] })
    void queries.invalidateQueries({ queryKey: ['subscription', invoice.tenant] })
    void queries.invalidateQueries({ queryKey: ['ledger', invoice.tenant] })
  }
  return (
    <>
      <Button look="main" onClick={() => setPaying(true)}>
        {t('invoices.pay')}
      </Button>
      <Button
        look="danger"
        onClick={() =>
          confirm({
            title: t('invoices.void'),
            reach: t('invoices.void.reach', { number: invoice.number, total: money(invoice.total_minor, invoice.currency) }),
            typed: invoice.number,
            act: t('invoices.void'),
            danger: true,
            run: async () => {
              await guarded(() => api.POST('/v1/admin/invoices/{id}/void', path))
              await renew()
            },
          })
        }
      >
        {t('invoices.void')}
      </Button>
      <Button
        look="danger"
        onClick={() =>
          confirm({
            title: t('invoices.write_off'),
            reach: t('invoices.write_off.reach', { number: invoice.number, left: money(invoice.due_minor, invoice.currency) }),
            typed: invoice.number,
            act: t('invoices.write_off'),
            danger: true,
            run: async () => {
              await guarded(() => api.POST('/v1/admin/invoices/{id}/write-off', path))
              await renew()
            },
          })
        }
      >
        {t('invoices.write_off')}
      </Button>
      {paying && (
        <Pay
          invoice={invoice}
          onClose={() => setPaying(false)}
          onPaid={() => {
            setPaying(false)
            toast({ text: t('invoices.pay.done') })
            void renew()
          }}
        />
      )}
    </>
  )
}

function Pay({ invoice, onClose, onPaid }: { invoice: Invoice; onClose: () => void; onPaid: () => void }) {
  const [reference, setReference] = useState('')
  // One key for one payment: a button pressed twice is one.
  const [key] = useState(requestKey)
  return (
    <Dialog title={t('invoices.pay')} onClose={onClose}>
      <p>{t('invoices.pay.reach', { number: invoice.number, left: money(invoice.due_minor, invoice.currency) })}</p>
      <Form
        act={t('invoices.pay.act')}
        send={() =>
          guarded(() =>
            api.POST('/v1/admin/invoices/{id}/pay', {
              params: { path: { id: invoice.id } },
              body: reference ? { reference } : {},
              headers: { 'Idempotency-Key': key },
            }),
          )
        }
        onSent={onPaid}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <TextInput
            label={t('money.reference')}
            description={t('invoices.pay.reference')}
            value={reference}
            onChange={(event) => setReference(event.currentTarget.value)}
            error={errorOf('reference')}
            autoFocus
          />
        )}
      </Form>
    </Dialog>
  )
}
