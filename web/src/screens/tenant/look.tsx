import { IconEye } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { may, me } from '../../api/door'
import { keepLook } from '../../api/look'
import { Button } from '../../pieces/button'
import { Dialog } from '../../pieces/dialog'
import { Textarea } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { t } from '../../words/speak'

/** Opens a look as a tenant: read-only, for a reason, and in the tenant's own audit. */
export function LookButton({ tenant, name }: { tenant: string; name: string }) {
  const { data } = useQuery(me)
  const [asked, setAsked] = useState(false)
  const [reason, setReason] = useState('')
  const queries = useQueryClient()
  if (!may(data?.operator.role, 'support')) return null
  return (
    <>
      <Button icon={IconEye} onClick={() => setAsked(true)}>
        {t('look.open')}
      </Button>
      {asked && (
        <Dialog title={t('look.title', { name })} onClose={() => setAsked(false)}>
          <p className="dim">{t('look.what')}</p>
          <Form
            act={t('look.act')}
            ready={reason.trim().length >= 8}
            send={async () => {
              keepLook(
                await guarded(() =>
                  got(api.POST('/v1/admin/tenants/{id}/looks', { params: { path: { id: tenant } }, body: { reason: reason.trim() } })),
                ),
              )
            }}
            onSent={() => {
              setAsked(false)
              void queries.invalidateQueries()
            }}
            onCancel={() => setAsked(false)}
            cancel={t('do.cancel')}
          >
            {(errorOf) => (
              <Textarea
                label={t('look.reason')}
                description={t('look.reason.note')}
                value={reason}
                onChange={(event) => setReason(event.currentTarget.value)}
                minLength={8}
                maxLength={500}
                rows={3}
                error={errorOf('reason')}
                required
                autoFocus
              />
            )}
          </Form>
        </Dialog>
      )}
    </>
  )
}
