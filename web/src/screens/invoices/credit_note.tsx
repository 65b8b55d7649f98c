import { useState } from 'react'
import { api, got, guarded, requestKey } from '../../api/client'
import type { components } from '../../api/schema'
import { AmountInput, isAmount } from '../../pieces/amount_input'
import { Dialog } from '../../pieces/dialog'
import { Textarea } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { money } from '../../words/amounts'
import { t } from '../../words/speak'

type Invoice = components['schemas']['InvoiceWithCreditNotes']

/** What of an invoice no credit note has taken back yet: nothing, where it was voided or given up. */
export function creditable({ status, total_minor, noted_minor }: Pick<Invoice, 'status' | 'total_minor' | 'noted_minor'>): number {
  return status === 'open' || status === 'paid' ? total_minor - noted_minor : 0
}

/** Takes an invoice back in part or in whole, and says beforehand what that does to what was paid and what was not. */
export function CreditNote({ invoice, onClose, onIssued }: { invoice: Invoice; onClose: () => void; onIssued: (number: string) => void }) {
  const most = creditable(invoice)
  const [minor, setMinor] = useState<number | null>(most)
  const [reason, setReason] = useState('')
  // One key for one paper: a button pressed twice is one.
  const [key] = useState(requestKey)
  const amount = (value: number) => money(value, invoice.currency)
  const ready = isAmount(minor, most)
  const forgiven = Math.min(minor ?? 0, invoice.due_minor)
  const credited = (minor ?? 0) - forgiven
  return (
    <Dialog title={t('credit_note.new')} onClose={onClose}>
      <Form
        act={t('credit_note.act')}
        danger
        ready={ready && reason.trim() !== ''}
        send={async () => {
          const note = await guarded(() =>
            got(
              api.POST('/v1/admin/invoices/{id}/credit-notes', {
                params: { path: { id: invoice.id } },
                body: { amount_minor: minor ?? 0, reason: reason.trim() },
                headers: { 'Idempotency-Key': key },
              }),
            ),
          )
          onIssued(note.number)
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <AmountInput
              label={t('credit_note.amount')}
              description={t('credit_note.most', { most: amount(most), number: invoice.number })}
              currency={invoice.currency}
              minor={minor}
              onChange={setMinor}
              most={most}
              error={errorOf('amount_minor')}
              autoFocus
            />
            <Textarea
              label={t('credit_note.reason')}
              description={t('credit_note.reason.note')}
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
              error={errorOf('reason')}
              maxLength={500}
              rows={3}
              required
            />
            <div role="status">
              {ready && forgiven > 0 && (
                <p>
                  {t('credit_note.forgiven', {
                    amount: amount(forgiven),
                    number: invoice.number,
                    left: amount(invoice.due_minor - forgiven),
                  })}
                </p>
              )}
              {ready && credited > 0 && <p>{t('credit_note.credited', { amount: amount(credited) })}</p>}
              <p className="dim">{t('credit_note.stays')}</p>
            </div>
          </>
        )}
      </Form>
    </Dialog>
  )
}
