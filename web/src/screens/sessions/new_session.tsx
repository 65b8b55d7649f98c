import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, got, requestKey } from '../../api/client'
import { transports } from '../../api/fleet'
import { onBehalf } from '../../api/look'
import type { SessionRecord } from '../../api/records'
import { Dialog } from '../../pieces/dialog'
import { NativeSelect, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { t } from '../../words/speak'

/** A number more for a tenant. Pairing it comes next. */
export function NewSession({ tenant, onClose }: { tenant: string; onClose: () => void }) {
  const { data } = useQuery(transports)
  const queries = useQueryClient()
  const navigate = useNavigate()
  const [label, setLabel] = useState('')
  const [chosen, setChosen] = useState<string>()
  const [key] = useState(requestKey)
  const engines = [...new Set(data?.data.map((one) => one.engine))]
  const engine = chosen ?? engines[0]
  return (
    <Dialog title={t('sessions.new')} onClose={onClose}>
      <Form
        act={t('sessions.new.act')}
        send={async () => {
          const call = { headers: { ...onBehalf(tenant), 'Idempotency-Key': key }, body: { label, ...(engine && { engine }) } as never }
          const made = (await got(api.POST('/v1/sessions', call))) as SessionRecord
          void queries.invalidateQueries({ queryKey: ['sessions'] })
          await navigate({ to: '/sessions/$session', params: { session: made.id } })
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <TextInput
              label={t('sessions.label')}
              description={t('sessions.label.note')}
              value={label}
              onChange={(event) => setLabel(event.currentTarget.value)}
              error={errorOf('label')}
              required
              autoFocus
            />
            {engines.length > 1 && (
              <NativeSelect
                label={t('sessions.engine')}
                value={engine}
                onChange={(event) => setChosen(event.currentTarget.value)}
                error={errorOf('engine')}
                data={engines}
              />
            )}
          </>
        )}
      </Form>
    </Dialog>
  )
}
