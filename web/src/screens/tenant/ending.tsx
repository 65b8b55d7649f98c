// The end of a subscription, and a new beginning.

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../../api/client'
import type { Role } from '../../api/door'
import type { TenantRecord } from '../../api/records'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { Dialog } from '../../pieces/dialog'
import { causeOf } from '../../pieces/error_card'
import { Form } from '../../pieces/form'
import { Section } from '../../pieces/section'
import { toast } from '../../pieces/toast'
import { t } from '../../words/speak'
import { Deed } from '../session/danger'
import { endsOn, renew, type Subscription } from './agreement'
import { PlanInput } from './change_plan'

export function Ending({ tenant, subscription, role }: { tenant: TenantRecord; subscription: Subscription; role: Role | undefined }) {
  const queries = useQueryClient()
  const [beginning, setBeginning] = useState(false)
  const path = { params: { path: { id: tenant.id } } }
  const day = endsOn(subscription)
  const end = async (when: 'now' | 'period_end') => {
    await api.POST('/v1/admin/tenants/{id}/subscription/cancel', { ...path, body: { when } })
    toast({ text: when === 'now' ? t('ending.ended') : t('ending.planned', { day }) })
    await renew(queries, tenant.id)
  }
  const undone = useMutation({
    mutationFn: () => api.PATCH('/v1/admin/tenants/{id}/subscription', { ...path, body: { ends: false } }),
    onSuccess: () => {
      toast({ text: t('ending.undone') })
      void renew(queries, tenant.id)
    },
    onError: (problem) => toast({ text: causeOf(problem), tone: 'red' }),
  })
  if (subscription.status === 'canceled') {
    return (
      <Section title={t('ending.title')} flush>
        <Deed role={role} takes="admin" title={t('ending.again')} what={t('ending.again.what')}>
          <Button look="main" onClick={() => setBeginning(true)}>
            {t('ending.again')}
          </Button>
        </Deed>
        {beginning && <Begin tenant={tenant} onClose={() => setBeginning(false)} />}
      </Section>
    )
  }
  return (
    <Section title={t('ending.title')} flush>
      {subscription.ends ? (
        <Deed role={role} takes="admin" title={t('ending.undo')} what={t('ending.undo.what', { day })}>
          <Button look="main" busy={undone.isPending} onClick={() => undone.mutate()}>
            {t('ending.undo')}
          </Button>
        </Deed>
      ) : (
        <Deed role={role} takes="admin" title={t('ending.period')} what={t('ending.period.what', { day })}>
          <Button
            look="danger"
            onClick={() =>
              confirm({
                title: t('ending.period'),
                reach: t('ending.period.reach', { name: tenant.name, day }),
                act: t('ending.period'),
                danger: true,
                run: () => end('period_end'),
              })
            }
          >
            {t('ending.period')}
          </Button>
        </Deed>
      )}
      <Deed role={role} takes="admin" title={t('ending.now')} what={t('ending.now.what')}>
        <Button
          look="danger"
          onClick={() =>
            confirm({
              title: t('ending.now'),
              reach: t('ending.now.reach', { name: tenant.name }),
              typed: tenant.name,
              act: t('ending.now'),
              danger: true,
              run: () => end('now'),
            })
          }
        >
          {t('ending.now')}
        </Button>
      </Deed>
    </Section>
  )
}

function Begin({ tenant, onClose }: { tenant: TenantRecord; onClose: () => void }) {
  const queries = useQueryClient()
  const [plan, setPlan] = useState(tenant.plan)
  return (
    <Dialog title={t('ending.again')} onClose={onClose}>
      <Form
        act={t('ending.again')}
        send={() => api.POST('/v1/admin/tenants/{id}/subscription/reactivate', { params: { path: { id: tenant.id } }, body: { plan } })}
        onSent={() => {
          toast({ text: t('ending.begun') })
          void renew(queries, tenant.id)
          onClose()
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <PlanInput plan={plan} onChange={setPlan} error={errorOf('plan')} />
            <p>{t('ending.again.reach', { name: tenant.name })}</p>
          </>
        )}
      </Form>
    </Dialog>
  )
}
