import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { may, me } from '../../api/door'
import { useLook } from '../../api/look'
import type { TenantRecord } from '../../api/records'
import { tenant as tenantQuery, usage } from '../../api/tenants'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Columns, Section } from '../../pieces/section'
import { Raw } from '../../pieces/raw'
import { toast } from '../../pieces/toast'
import { number } from '../../words/amounts'
import { t } from '../../words/speak'
import { Deed } from '../session/danger'

export function TenantSettings({ tenant }: { tenant: TenantRecord }) {
  const { data: self } = useQuery(me)
  const { data: used } = useQuery(usage(tenant.id))
  const look = useLook()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const [name, setName] = useState(tenant.name)
  const role = look?.tenant === tenant.id ? undefined : self?.operator.role
  const path = { params: { path: { id: tenant.id } } }
  const renew = () => queries.invalidateQueries({ queryKey: tenantQuery(tenant.id).queryKey })
  const sessions = number(used?.sessions.used)
  return (
    <>
      <Columns>
        <Section title={t('session.settings')}>
          {may(role, 'admin') ? (
            <Form
              act={t('do.save')}
              ready={name.trim() !== '' && name !== tenant.name}
              send={() => got(api.PATCH('/v1/admin/tenants/{id}', { ...path, body: { name } }))}
              onSent={() => {
                toast({ text: t('do.saved') })
                void renew()
              }}
            >
              {(errorOf) => (
                <TextInput
                  label={t('tenants.name')}
                  value={name}
                  onChange={(event) => setName(event.currentTarget.value)}
                  error={errorOf('name')}
                  maxLength={200}
                  required
                />
              )}
            </Form>
          ) : (
            <p className="dim">{t('role.takes', { role: t('role.admin') })}</p>
          )}
        </Section>
        <Section title={t('record.raw')}>
          <Raw value={tenant} />
        </Section>
      </Columns>
      <Section title={t('danger.title')} flush>
        {tenant.status === 'active' ? (
          <Deed role={role} takes="admin" title={t('tenant.suspend')} what={t('tenant.suspend.what')}>
            <Button
              look="danger"
              onClick={() =>
                confirm({
                  title: t('tenant.suspend.title', { name: tenant.name }),
                  reach: t('tenant.suspend.reach', { sessions }),
                  act: t('tenant.suspend'),
                  danger: true,
                  run: async () => {
                    await guarded(() => api.POST('/v1/admin/tenants/{id}/suspend', path))
                    await renew()
                  },
                })
              }
            >
              {t('tenant.suspend')}
            </Button>
          </Deed>
        ) : (
          <Deed role={role} takes="admin" title={t('tenant.resume')} what={t('tenant.resume.what')}>
            <Button
              look="main"
              onClick={() =>
                confirm({
                  title: t('tenant.resume.title', { name: tenant.name }),
                  reach: t('tenant.resume.reach', { sessions }),
                  act: t('tenant.resume'),
                  run: async () => {
                    await guarded(() => api.POST('/v1/admin/tenants/{id}/resume', path))
                    await renew()
                  },
                })
              }
            >
              {t('tenant.resume')}
            </Button>
          </Deed>
        )}
        <Deed role={role} takes="admin" title={t('tenant.delete')} what={t('tenant.delete.what')}>
          <Button
            look="danger"
            onClick={() =>
              confirm({
                title: t('tenant.delete'),
                reach: t('tenant.delete.reach', { name: tenant.name, sessions }),
                typed: tenant.name,
                act: t('tenant.delete'),
                danger: true,
                run: async () => {
                  await guarded(() => api.DELETE('/v1/admin/tenants/{id}', path))
                  void queries.invalidateQueries({ queryKey: ['tenants'] })
                  await navigate({ to: '/tenants' })
                },
              })
            }
          >
            {t('tenant.delete')}
          </Button>
        </Deed>
      </Section>
    </>
  )
}
