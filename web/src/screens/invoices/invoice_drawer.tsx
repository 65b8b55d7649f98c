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
import { money, number, rate } from '../../words/amounts'
import { t } from '../../words/speak'
import { day } from '../../words/times'
import { CreditNote, creditable } from './credit_note'
import css from './invoices.module.css'
import { Papers } from './papers'

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
      {data && <Shown invoice={data} />}
    </Record>
  )
}

function Shown({ invoice }: { invoice: Invoice }) {
  const amount = (minor: number) => money(minor, invoice.currency)
  return (
    <>
      <Facts>
        <Fact name={t('sessions.tenant')}>
          <TenantLink id={invoice.tenant} />
        </Fact>
        <Fact name={t('invoices.buyer')}>
          {invoice.buyer.name || '–'}
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
      <Papers path="/v1/admin/invoices/{id}" id={invoice.id} number={invoice.number} />
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
            <td className="dim">{t('invoices.tax', { rate: rate(invoice.tax_rate_bps) })}</td>
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
          <ul className={css.notes}>
            {invoice.credit_notes.map((note) => (
              <li key={note.id}>
                <div className={css.note}>
                  <strong>{note.number}</strong>
                  <strong>{amount(note.amount_minor)}</strong>
                </div>
                <p className="dim">
                  {t('credit_note.line', { tax: amount(note.tax_minor), day: day(note.issued_at) })} · <bdi>{note.reason}</bdi>
                </p>
                <Papers path="/v1/admin/credit-notes/{id}" id={note.id} number={note.number} />
              </li>
            ))}
          </ul>
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
  const [asked, ask] = useState<'payment' | 'credit_note' | null>(null)
  if (!may(self?.operator.role, 'admin')) return null
  const open = invoice.status === 'open'
  // Also one that was paid with credit alone: the credit comes back.
  const voidable = (open || invoice.status === 'paid') && invoice.paid_minor === 0 && invoice.noted_minor === 0
  // What was given up may be paid all the same.
  const payable = open || invoice.status === 'uncollectible'
  if (!payable && !voidable && creditable(invoice) === 0) return null
  const path = { params: { path: { id: invoice.id } } }
  const renew = async () => {
    await queries.invalidateQueries({ queryKey: ['invoice', invoice.id] })
    void queries.invalidateQueries({ queryKey: ['invoices'] })
    void queries.invalidateQueries({ queryKey: ['subscription', invoice.tenant] })
    void queries.invalidateQueries({ queryKey: ['ledger', invoice.tenant] })
    void queries.invalidateQueries({ queryKey: ['credits', invoice.tenant] })
  }
  return (
    <>
      {payable && (
        <Button look="main" onClick={() => ask('payment')}>
          {t('invoices.pay')}
        </Button>
      )}
      {creditable(invoice) > 0 && <Button onClick={() => ask('credit_note')}>{t('credit_note.new')}</Button>}
      {voidable && (
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
      )}
      {open && (
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
      )}
      {asked === 'payment' && (
        <Pay
          invoice={invoice}
          onClose={() => ask(null)}
          onPaid={() => {
            ask(null)
            toast({ text: t('invoices.pay.done') })
            void renew()
          }}
        />
      )}
      {asked === 'credit_note' && (
        <CreditNote
          invoice={invoice}
          onClose={() => ask(null)}
          onIssued={(number) => {
            ask(null)
            toast({ text: t('credit_note.done', { number }) })
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
