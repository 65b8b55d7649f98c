// One message: what became of it, the life it had to the millisecond, and the record itself.

import { IconRepeat, IconTrash } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { api, got, requestKey } from '../../api/client'
import { may, me } from '../../api/door'
import { message, session } from '../../api/fleet'
import { onBehalf, reading, useLook } from '../../api/look'
import type { MessageRecord } from '../../api/records'
import { Button } from '../../pieces/button'
import { ErrorCard, causeOf } from '../../pieces/error_card'
import { IdChip } from '../../pieces/id_chip'
import { useNow } from '../../pieces/now'
import { Pill } from '../../pieces/pill'
import { Raw } from '../../pieces/raw'
import { Record } from '../../pieces/record'
import { Fact, Facts, Notice } from '../../pieces/section'
import { Skeleton } from '../../pieces/skeleton'
import { toast } from '../../pieces/toast'
import { explainMessage } from '../../words/sentences'
import { has, said, t } from '../../words/speak'
import { Life } from './life'
import css from './messages.module.css'

const resendable = ['failed', 'expired', 'canceled', 'dead', 'unknown']

export function MessageDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const now = useNow(10_000)
  const look = useLook()
  const { data, error, refetch } = useQuery(message(id))
  const owner = useQuery({ ...session(data?.session ?? ''), enabled: data !== undefined })
  const tenant = owner.data?.tenant
  const seen = tenant !== undefined && look?.tenant === tenant ? look.id : null
  // Within a look the tenant's own record has what was written.
  const whole = useQuery({
    queryKey: ['message', id, 'whole', seen],
    queryFn: ({ signal }) => got(api.GET('/v1/messages/{id}', { params: { path: { id } }, headers: reading(tenant ?? ''), signal })),
    enabled: seen !== null,
  })
  return (
    <Record
      title={t('message.title')}
      lead={
        <span className={css.lead}>
          {data && <Pill status={data.status} />} <IdChip id={id} />
        </span>
      }
      onClose={onClose}
      actions={data && tenant && <Actions record={data} tenant={tenant} looking={seen !== null} />}
    >
      {error && <ErrorCard error={error} retry={() => void refetch()} />}
      {!error && !data && <Skeleton lines={10} />}
      {data && (
        <>
          <p className={css.meaning}>
            {explainMessage(data, now)}
            {data.reason && <code className="small dim"> {data.reason}</code>}
          </p>
          {data.hold && <Notice tone="amber">{t('message.loosened', { who: data.hold.loosened_by })}</Notice>}
          <Content record={(whole.data as MessageRecord | undefined) ?? data} />
          <h3>{t('message.life')}</h3>
          <Life stops={data.life} status={data.status} />
          <h3>{t('message.facts')}</h3>
          <Facts>
            <Fact name={t('message.chat')}>
              <code dir="ltr">{data.chat}</code>
            </Fact>
            <Fact name={t('message.session')}>
              <Link to="/sessions/$session" params={{ session: data.session }}>
                {owner.data?.label ?? data.session}
              </Link>
            </Fact>
            {owner.data && (
              <Fact name={t('message.tenant')}>
                <Link to="/tenants/$tenant" params={{ tenant: owner.data.tenant }}>
                  {owner.data.tenant_name ?? owner.data.tenant}
                </Link>
              </Fact>
            )}
            <Fact name={t('message.kind')}>{has(`kind.${data.type}`) ? said(`kind.${data.type}`) : data.type}</Fact>
            <Fact name={t('message.delivery')}>{said(`delivery.${data.delivery}`)}</Fact>
            <Fact name={t('message.attempts')}>{data.attempts}</Fact>
            <Fact name={t('message.wa_id')}>
              <IdChip id={data.wa_id} />
            </Fact>
            {data.client_ref && (
              <Fact name={t('message.ref')}>
                <code>{data.client_ref}</code>
              </Fact>
            )}
          </Facts>
          <h3>{t('record.raw')}</h3>
          <Raw value={whole.data ?? data} />
        </>
      )}
    </Record>
  )
}

/** What was written: as text and nothing else, and only to whom it may be shown. */
function Content({ record }: { record: MessageRecord }) {
  if (record.text) return <blockquote className={css.body}>{record.text.body}</blockquote>
  if (record.redacted) return <p className={css.hidden}>{t('message.redacted')}</p>
  const media = record.image ?? record.video ?? record.audio ?? record.document ?? record.sticker
  if (media && 'caption' in media && media.caption) return <blockquote className={css.body}>{String(media.caption)}</blockquote>
  return null
}

function Actions({ record, tenant, looking }: { record: MessageRecord; tenant: string; looking: boolean }) {
  const { data } = useQuery(me)
  const queries = useQueryClient()
  const done = () => {
    void queries.invalidateQueries({ queryKey: ['messages'] })
    void queries.invalidateQueries({ queryKey: ['message', record.id] })
  }
  const resend = useMutation({
    mutationFn: () =>
      got(
        api.POST('/v1/messages/{id}/resend', {
          params: { path: { id: record.id } },
          headers: { ...onBehalf(tenant), 'Idempotency-Key': requestKey() },
        }),
      ),
    onSuccess: () => {
      toast({ text: t('message.resent') })
      done()
    },
    onError: (error) => toast({ text: causeOf(error), tone: 'red' }),
  })
  const cancel = useMutation({
    mutationFn: () => api.DELETE('/v1/messages/{id}', { params: { path: { id: record.id } }, headers: onBehalf(tenant) }),
    onSuccess: () => {
      toast({ text: t('message.canceled') })
      done()
    },
    onError: (error) => toast({ text: causeOf(error), tone: 'red' }),
  })
  if (!may(data?.operator.role, 'support') || looking || record.direction !== 'out') return null
  return (
    <>
      {resendable.includes(record.status) && (
        <Button icon={IconRepeat} busy={resend.isPending} onClick={() => resend.mutate()}>
          {t('message.resend')}
        </Button>
      )}
      {['queued', 'held'].includes(record.status) && (
        <Button icon={IconTrash} look="danger" busy={cancel.isPending} onClick={() => cancel.mutate()}>
          {t('message.cancel')}
        </Button>
      )}
    </>
  )
}
