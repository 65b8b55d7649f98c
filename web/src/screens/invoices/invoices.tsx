import { usePlace } from '../../frame/place'
import { Heading } from '../../pieces/section'
import { t } from '../../words/speak'
import { InvoiceList } from './invoice_list'

export default function Invoices() {
  usePlace({ label: t('invoices.title') })
  return (
    <>
      <Heading title={t('invoices.title')} note={t('invoices.note')} />
      <InvoiceList />
    </>
  )
}
