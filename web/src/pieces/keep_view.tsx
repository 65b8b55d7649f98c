import { useState } from 'react'
import { t } from '../words/speak'
import { Dialog } from './dialog'
import { TextInput } from './fields'
import { Form } from './form'
import { toast } from './toast'
import { keepView, longest, useViews, type ListName } from './views'

/** A name for what the address says now. */
export default function KeepView({ list, search, onClose }: { list: ListName; search: Record<string, string>; onClose: () => void }) {
  const views = useViews(list)
  const [name, setName] = useState('')
  const wanted = name.trim()
  return (
    <Dialog title={t('views.keep')} onClose={onClose}>
      <p className="dim">{t('views.what')}</p>
      <Form
        act={t('views.keep.act')}
        ready={wanted !== ''}
        send={async () => keepView({ list, name: wanted, search })}
        onSent={() => {
          toast({ text: t('views.kept', { name: wanted }) })
          onClose()
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {() => (
          <TextInput
            label={t('views.name')}
            description={views.some((view) => view.name === wanted) ? t('views.anew') : undefined}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={longest}
            autoComplete="off"
            required
            autoFocus
          />
        )}
      </Form>
    </Dialog>
  )
}
