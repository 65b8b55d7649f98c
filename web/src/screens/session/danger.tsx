import { IconEraser, IconLogout, IconTrash } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { api, got, guarded } from '../../api/client'
import { may, me, type Role } from '../../api/door'
import { onBehalf, useLook } from '../../api/look'
import type { FleetSession } from '../../api/records'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { IdChip } from '../../pieces/id_chip'
import { Raw } from '../../pieces/raw'
import { Columns, Fact, Facts, Section } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { toast } from '../../pieces/toast'
import { number } from '../../words/amounts'
import { t } from '../../words/speak'
import css from './danger.module.css'

/** What a session is set to, and what ends it. */
export function Danger({ record }: { record: FleetSession }) {
  const { data } = useQuery(me)
  const look = useLook()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const role = look?.tenant === record.tenant ? undefined : data?.operator.role
  const call = { params: { path: { id: record.id } }, headers: onBehalf(record.tenant) }
  const renew = () => queries.invalidateQueries({ queryKey: ['session', record.id] })

  return (
    <>
      <Columns>
        <Section title={t('session.settings')}>
          <Facts>
            <Fact name={t('sessions.label')}>{record.label}</Fact>
            <Fact name={t('sessions.engine')}>
              {record.engine} {record.release && <code>{record.release}</code>}
            </Fact>
            <Fact name={t('session.created')}>
              <Since at={record.created_at} />
            </Fact>
            <Fact name={t('session.id')}>
              <IdChip id={record.id} whole />
            </Fact>
          </Facts>
        </Section>
        <Section title={t('record.raw')}>
          <Raw value={record} />
        </Section>
      </Columns>
      <Section title={t('danger.title')} flush>
        <Deed role={role} takes="support" title={t('danger.clear')} what={t('danger.clear.what')}>
          <Button
            icon={IconEraser}
            look="danger"
            onClick={() =>
              confirm({
                title: t('danger.clear'),
                reach: t('danger.clear.reach', { count: record.queued, name: record.label }),
                act: t('danger.clear.act', { count: record.queued }),
                danger: true,
                run: async () => {
                  const { canceled } = await got(api.DELETE('/v1/sessions/{id}/queue', call))
                  toast({ text: t('danger.clear.done', { count: canceled }) })
                  await renew()
                },
              })
            }
          >
            {t('danger.clear')}
          </Button>
        </Deed>
        <Deed role={role} takes="admin" title={t('danger.logout')} what={t('danger.logout.what')}>
          <Button
            icon={IconLogout}
            look="danger"
            onClick={() =>
              confirm({
                title: t('danger.logout'),
                reach: t('danger.logout.reach', { name: record.label, tenant: record.tenant_name ?? '–', queued: number(record.queued) }),
                act: t('danger.logout'),
                danger: true,
                run: async () => {
                  await guarded(() => api.POST('/v1/sessions/{id}/logout', call))
                  await renew()
                },
              })
            }
          >
            {t('danger.logout')}
          </Button>
        </Deed>
        <Deed role={role} takes="admin" title={t('danger.delete')} what={t('danger.delete.what')}>
          <Button
            icon={IconTrash}
            look="danger"
            onClick={() =>
              confirm({
                title: t('danger.delete'),
                reach: t('danger.delete.reach', { name: record.label, tenant: record.tenant_name ?? '–', queued: number(record.queued) }),
                typed: record.label,
                act: t('danger.delete'),
                danger: true,
                run: async () => {
                  await guarded(() => api.DELETE('/v1/sessions/{id}', call))
                  queries.removeQueries({ queryKey: ['session', record.id] })
                  void queries.invalidateQueries({ queryKey: ['sessions'] })
                  await navigate({ to: '/sessions' })
                },
              })
            }
          >
            {t('danger.delete')}
          </Button>
        </Deed>
      </Section>
    </>
  )
}

/** A deed with what it does; who may not do it sees whom to ask. */
export function Deed({
  role,
  takes,
  title,
  what,
  children,
}: {
  role: Role | undefined
  takes: Role
  title: string
  what: string
  children: ReactNode
}) {
  return (
    <div className={css.deed}>
      <div>
        <strong>{title}</strong>
        <p className="dim">{what}</p>
      </div>
      {may(role, takes) ? children : <span className="small dim">{t('role.takes', { role: t(`role.${takes}`) })}</span>}
    </div>
  )
}
