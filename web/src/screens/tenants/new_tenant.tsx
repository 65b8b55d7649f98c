import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, got } from '../../api/client'
import { plans } from '../../api/tenants'
import { Dialog } from '../../pieces/dialog'
import { NativeSelect, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { money } from '../../words/amounts'
import { said, t } from '../../words/speak'

export function NewTenant({ onClose }: { onClose: () => void }) {
  const { data } = useQuery(plans)
  const queries = useQueryClient()
  const navigate = useNavigate()
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState<string>()
  const plan = chosen ?? data?.data[0]?.code ?? ''
  return (
    <Dialog title={t('tenants.new')} onClose={onClose}>
      <Form
        act={t('tenants.new.act')}
        ready={plan !== ''}
        send={async () => {
          const made = await got(api.POST('/v1/admin/tenants', { body: { name, plan } }))
          void queries.invalidateQueries({ queryKey: ['tenants'] })
          await navigate({ to: '/tenants/$tenant', params: { tenant: made.id } })
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <TextInput
              label={t('tenants.name')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={errorOf('name')}
              maxLength={200}
              required
              autoFocus
            />
            <NativeSelect
              label={t('tenants.plan')}
              value={plan}
              onChange={(event) => setChosen(event.currentTarget.value)}
              error={errorOf('plan')}
              data={(data?.data ?? []).map((one) => ({
                value: one.code,
                label: `${one.name}: ${money(one.price_minor, one.currency)} ${said(`interval.${one.interval}`)}, ${t('plan.month', { count: one.messages_per_month })}`,
              }))}
              required
            />
          </>
        )}
      </Form>
    </Dialog>
  )
}
