import { IconHistory, IconPencil, IconRefresh, IconSend } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded, requestKey } from '../../api/client'
import { may, me } from '../../api/door'
import { onBehalf, reading, useLook } from '../../api/look'
import { usePaged } from '../../api/paged'
import type { FleetWebhook } from '../../api/records'
import { Problem } from '../../api/problems'
import type { components } from '../../api/schema'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { causeOf, ErrorCard } from '../../pieces/error_card'
import { Choice } from '../../pieces/filters'
import { IdChip } from '../../pieces/id_chip'
import { Pill } from '../../pieces/pill'
import { Raw } from '../../pieces/raw'
import { Record } from '../../pieces/record'
import { Fact, Facts, Notice } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { TenantLink } from '../../pieces/tenant_link'
import { toast } from '../../pieces/toast'
import { duration } from '../../words/amounts'
import { said, t } from '../../words/speak'
import { LookButton } from '../tenant/look'
import { Secret } from '../tenant/keys'
import css from './webhooks.module.css'
import { EndpointForm } from './endpoint_form'
import { Replay } from './replay'
import { webhookState } from './webhook_list'

type Delivery = components['schemas']['WebhookDelivery']

/** One endpoint: how it does, and what became of each event. */
export function WebhookDrawer({ webhook, onClose }: { webhook: FleetWebhook; onClose: () => void }) {
  const { data: self } = useQuery(me)
  const look = useLook()
  const queries = useQueryClient()
  const [secret, setSecret] = useState<string | null>(null)
  const [status, setStatus] = useState<string>()
  const [open, setOpen] = useState<string | null>(null)
  const [asked, ask] = useState<'change' | 'replay' | null>(null)
  const looks = look?.tenant === webhook.tenant
  const acts = may(self?.operator.role, 'support') && !looks
  const admin = may(self?.operator.role, 'admin') && !looks
  const call = { params: { path: { id: webhook.id } }, headers: onBehalf(webhook.tenant) }
  const key = ['deliveries', webhook.id, status]
  const list = usePaged(key, (cursor, signal) =>
    got(
      api.GET('/v1/webhooks/{id}/deliveries', {
        params: { path: { id: webhook.id }, query: { limit: 50, ...(status && { status }), ...(cursor && { cursor }) } as never },
        headers: reading(webhook.tenant),
        signal,
      }),
    ),
  )
  const renew = () => {
    void queries.invalidateQueries({ queryKey: ['webhooks'] })
    void queries.invalidateQueries({ queryKey: ['deliveries', webhook.id] })
  }
  const test = useMutation({
    mutationFn: () => api.POST('/v1/webhooks/{id}/test', call),
    onSuccess: () => {
      toast({ text: t('webhooks.tested') })
      renew()
    },
    onError: (error) => toast({ text: causeOf(error), tone: 'red' }),
  })
  const enable = useMutation({
    mutationFn: () => api.POST('/v1/webhooks/{id}/enable', call),
    onSuccess: renew,
    onError: (error) => toast({ text: causeOf(error), tone: 'red' }),
  })
  const disable = () =>
    confirm({
      title: t('webhooks.disable'),
      reach: t('webhooks.disable.reach', { url: webhook.url }),
      act: t('webhooks.disable'),
      danger: true,
      run: async () => {
        await api.PATCH('/v1/webhooks/{id}', { ...call, body: { status: 'disabled' } })
        renew()
      },
    })
  const remove = () =>
    confirm({
      title: t('webhooks.delete'),
      reach: t('webhooks.delete.reach', { url: webhook.url, tenant: webhook.tenant_name ?? '–' }),
      typed: new URL(webhook.url).host,
      act: t('webhooks.delete'),
      danger: true,
      run: async () => {
        await guarded(() => api.DELETE('/v1/webhooks/{id}', call))
        toast({ text: t('webhooks.deleted') })
        onClose()
        void queries.invalidateQueries({ queryKey: ['webhooks'] })
      },
    })
  const state = webhookState(webhook)
  return (
    <Record
      title={webhook.url}
      lead={
        <span>
          <Pill status={state} /> <IdChip id={webhook.id} />
        </span>
      }
      onClose={onClose}
      actions={
        acts && (
          <>
            {admin && webhook.status === 'active' && (
              <Button icon={IconSend} busy={test.isPending} onClick={() => test.mutate()}>
                {t('webhooks.test')}
              </Button>
            )}
            {admin && webhook.status === 'disabled' && (
              <Button busy={enable.isPending} onClick={() => enable.mutate()}>
                {t('webhooks.enable')}
              </Button>
            )}
            <Button icon={IconHistory} onClick={() => ask('replay')}>
              {t('replay.title')}
            </Button>
            {admin && (
              <>
                <Button icon={IconPencil} onClick={() => ask('change')}>
                  {t('webhooks.change')}
                </Button>
                <Button
                  icon={IconRefresh}
                  onClick={() =>
                    confirm({
                      title: t('webhooks.rotate'),
                      reach: t('webhooks.rotate.reach'),
                      act: t('webhooks.rotate'),
                      run: async () => {
                        const made = await guarded(() => got(api.POST('/v1/webhooks/{id}/rotate', { ...call, body: {} as never })))
                        setSecret((made as { secret?: string }).secret ?? null)
                      },
                    })
                  }
                >
                  {t('webhooks.rotate')}
                </Button>
                {webhook.status === 'active' && (
                  <Button look="danger" onClick={disable}>
                    {t('webhooks.disable')}
                  </Button>
                )}
                <Button look="danger" onClick={remove}>
                  {t('webhooks.delete')}
                </Button>
              </>
            )}
          </>
        )
      }
    >
      {state === 'failing' && (
        <Notice tone="amber">
          {t('webhooks.is_failing', { count: webhook.health.failures })}{' '}
          {webhook.health.rests_until && (
            <>
              {t('webhooks.rests')} <Since at={webhook.health.rests_until} />
            </>
          )}
        </Notice>
      )}
      {state === 'disabled' && <Notice tone="red">{t(`webhooks.disabled.${webhook.reason ?? 'requested'}`)}</Notice>}
      <Facts>
        <Fact name={t('sessions.tenant')}>
          <TenantLink id={webhook.tenant} />
        </Fact>
        {webhook.description && (
          <Fact name={t('webhooks.description')}>
            <bdi>{webhook.description}</bdi>
          </Fact>
        )}
        <Fact name={t('webhooks.events')}>
          <code dir="ltr">{webhook.events.join(' ')}</code>
        </Fact>
        <Fact name={t('sessions.title')}>
          {webhook.sessions.length === 0 ? t('webhooks.sessions.all') : t('count.sessions', { count: webhook.sessions.length })}
        </Fact>
        <Fact name={t('session.created')}>
          <Since at={webhook.created_at} />
        </Fact>
      </Facts>
      <h3 className={css.head}>
        {t('deliveries.title')}
        <Choice
          label={t('filter.status')}
          value={status}
          options={['pending', 'delivered', 'dead', 'skipped'].map((value) => ({ value, label: said(`status.${value}`) }))}
          onChange={setStatus}
        />
      </h3>
      {list.error && !list.rows && <ErrorCard error={list.error} retry={list.retry} />}
      {!list.error && !list.rows && <Skeleton lines={6} />}
      {list.rows?.length === 0 && <p className="dim">{t('deliveries.none')}</p>}
      <ul className={css.list}>
        {list.rows?.slice(0, 200).map((delivery) => (
          <li key={delivery.id}>
            <button
              type="button"
              className={css.row}
              aria-expanded={open === delivery.id}
              onClick={() => setOpen(open === delivery.id ? null : delivery.id)}
            >
              <Pill status={delivery.status} />
              <code>{delivery.type}</code>
              <span className="small dim">
                <Since at={delivery.created_at} />
              </span>
            </button>
            {open === delivery.id && <DeliveryView delivery={delivery} webhook={webhook} acts={acts} renew={renew} />}
          </li>
        ))}
      </ul>
      {list.more && <Button onClick={list.more}>{t('list.older')}</Button>}
      {asked === 'change' && <EndpointForm tenant={webhook.tenant} webhook={webhook} onClose={() => ask(null)} />}
      {asked === 'replay' && <Replay webhook={webhook} onClose={() => ask(null)} onSent={renew} />}
      {secret !== null && <Secret title={t('webhooks.secret')} secret={secret} onClose={() => setSecret(null)} />}
    </Record>
  )
}

function DeliveryView({ delivery, webhook, acts, renew }: { delivery: Delivery; webhook: FleetWebhook; acts: boolean; renew: () => void }) {
  const look = useLook()
  const seen = look?.tenant === webhook.tenant ? look.id : null
  const { data, error } = useQuery({
    queryKey: ['delivery', delivery.id, seen],
    queryFn: ({ signal }) =>
      got(api.GET('/v1/deliveries/{id}', { params: { path: { id: delivery.id } }, headers: reading(webhook.tenant), signal })),
    retry: false,
  })
  const again = useMutation({
    mutationFn: () =>
      api.POST('/v1/deliveries/{id}/redeliver', {
        params: { path: { id: delivery.id } },
        headers: { ...onBehalf(webhook.tenant), 'Idempotency-Key': requestKey() },
      }),
    onSuccess: () => {
      toast({ text: t('deliveries.again.done') })
      renew()
    },
    onError: (problem) => toast({ text: causeOf(problem), tone: 'red' }),
  })
  const hidden = error instanceof Problem && (error.code === 'look_required' || error.fault === 'look_required')
  return (
    <div className={css.delivery}>
      <p className="small dim">
        {t('deliveries.attempts', { count: delivery.attempts })}
        {delivery.reason && ` · ${said(`deliveries.reason.${delivery.reason}`)}`}
        {delivery.due_at && (
          <>
            {' · '}
            {t('deliveries.next')} <Since at={delivery.due_at} />
          </>
        )}
      </p>
      {data?.log.map((attempt) => (
        <div key={attempt.number} className={css.attempt}>
          <strong>{attempt.status ?? attempt.error ?? t('deliveries.no_answer')}</strong>{' '}
          <span className="dim">{duration(attempt.duration_ms)}</span>{' '}
          <span className="small dim">
            <Since at={attempt.at} />
          </span>
          {attempt.body && <pre>{attempt.body}</pre>}
        </div>
      ))}
      {data && <Raw value={data.request} label={t('deliveries.request')} />}
      {hidden && (
        <p className="dim">
          {t('deliveries.hidden')} <LookButton tenant={webhook.tenant} name={webhook.tenant_name ?? ''} />
        </p>
      )}
      {error && !hidden && <ErrorCard error={error} />}
      {acts && (
        <Button icon={IconRefresh} busy={again.isPending} onClick={() => again.mutate()}>
          {t('deliveries.again')}
        </Button>
      )}
    </div>
  )
}
