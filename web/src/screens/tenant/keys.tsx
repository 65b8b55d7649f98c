import { IconPlus } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { may, me } from '../../api/door'
import { usePaged } from '../../api/paged'
import type { TenantRecord } from '../../api/records'
import type { components } from '../../api/schema'
import { Button, Buttons } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { Dialog } from '../../pieces/dialog'
import { Empty, Line } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { Checkbox, NativeSelect, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Badge, Pill } from '../../pieces/pill'
import { PlainTable } from '../../pieces/plain_table'
import { Notice, Section } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { t } from '../../words/speak'
import css from './tenant.module.css'

type Key = components['schemas']['Key']
type Scope = components['schemas']['KeyScope']

/** A tenant's API keys. One is shown once, when it is made. */
export function Keys({ tenant }: { tenant: TenantRecord }) {
  const { data: self } = useQuery(me)
  const queries = useQueryClient()
  const [making, setMaking] = useState(false)
  const [shown, setShown] = useState<string | null>(null)
  const key = ['keys', tenant.id]
  const { rows, error, retry, more } = usePaged(key, (cursor, signal) =>
    got(
      api.GET('/v1/admin/tenants/{id}/keys', {
        params: { path: { id: tenant.id }, query: { limit: 50, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  )
  const renew = () => queries.invalidateQueries({ queryKey: key })
  const admin = may(self?.operator.role, 'admin')
  return (
    <Section
      title={t('tenant.keys')}
      note={t('keys.note')}
      flush
      actions={
        admin && (
          <Button icon={IconPlus} onClick={() => setMaking(true)}>
            {t('keys.new')}
          </Button>
        )
      }
    >
      {error && !rows && <ErrorCard error={error} retry={retry} />}
      {!error && !rows && <Skeleton />}
      {rows && rows.length === 0 && <Empty text={t('keys.empty')} line={`columba key create --tenant ${tenant.id}`} />}
      {rows && rows.length > 0 && (
        <PlainTable label={t('tenant.keys')}>
          <thead>
            <tr>
              <th>{t('keys.name')}</th>
              <th>{t('keys.ends')}</th>
              <th>{t('keys.scopes')}</th>
              <th>{t('keys.used')}</th>
              <th>{t('keys.expires')}</th>
              <th>
                <span className="unseen">{t('palette.deeds')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, 200).map((one) => (
              <Row key={one.id} record={one} admin={admin} onShown={setShown} renew={renew} />
            ))}
          </tbody>
        </PlainTable>
      )}
      {more && <Button onClick={more}>{t('list.older')}</Button>}
      {making && (
        <NewKey
          tenant={tenant.id}
          onClose={() => setMaking(false)}
          onMade={(secret) => {
            setMaking(false)
            setShown(secret)
            void renew()
          }}
        />
      )}
      {shown !== null && <Secret title={t('keys.once')} secret={shown} onClose={() => setShown(null)} />}
    </Section>
  )
}

function Row({
  record,
  admin,
  onShown,
  renew,
}: {
  record: Key
  admin: boolean
  onShown: (key: string) => void
  renew: () => Promise<void>
}) {
  const dead = record.revoked_at !== null || (record.expires_at !== null && Date.parse(record.expires_at) < Date.now())
  return (
    <tr>
      <td>
        {record.name} {record.test && <Badge tone="blue">{t('keys.test')}</Badge>}
      </td>
      <td className="mono" dir="ltr">
        …{record.last4}
      </td>
      <td>{record.scopes.join(', ')}</td>
      <td>{record.last_used_at ? <Since at={record.last_used_at} /> : <span className="dim">{t('keys.never')}</span>}</td>
      <td>
        {dead ? (
          <Pill status="revoked" />
        ) : record.expires_at ? (
          <Since at={record.expires_at} />
        ) : (
          <span className="dim">{t('keys.no_end')}</span>
        )}
      </td>
      <td data-end>
        {admin && !dead && (
          <Buttons>
            <Button
              onClick={() =>
                confirm({
                  title: t('keys.rotate.title', { name: record.name }),
                  reach: t('keys.rotate.reach'),
                  act: t('keys.rotate'),
                  run: async () => {
                    const made = await guarded(() =>
                      got(api.POST('/v1/admin/keys/{id}/rotate', { params: { path: { id: record.id } }, body: {} as never })),
                    )
                    await renew()
                    const secret = (made as { key?: string | null }).key
                    if (secret) onShown(secret)
                  },
                })
              }
            >
              {t('keys.rotate')}
            </Button>
            <Button
              look="danger"
              onClick={() =>
                confirm({
                  title: t('keys.revoke.title', { name: record.name }),
                  reach: t('keys.revoke.reach'),
                  typed: record.name,
                  act: t('keys.revoke'),
                  danger: true,
                  run: async () => {
                    await guarded(() => api.DELETE('/v1/admin/keys/{id}', { params: { path: { id: record.id } } }))
                    await renew()
                  },
                })
              }
            >
              {t('keys.revoke')}
            </Button>
          </Buttons>
        )}
      </td>
    </tr>
  )
}

function NewKey({ tenant, onClose, onMade }: { tenant: string; onClose: () => void; onMade: (secret: string) => void }) {
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState<Scope[]>(['read', 'send', 'session'])
  const [test, setTest] = useState(false)
  const [days, setDays] = useState('')
  return (
    <Dialog title={t('keys.new')} onClose={onClose}>
      <Form
        act={t('keys.new.act')}
        ready={scopes.length > 0}
        send={async () => {
          const made = await guarded(() =>
            got(
              api.POST('/v1/admin/tenants/{id}/keys', {
                params: { path: { id: tenant } },
                body: {
                  name,
                  scopes: scopes as never,
                  test,
                  ...(days && { expires_at: new Date(Date.now() + Number(days) * 86_400_000).toISOString() }),
                },
              }),
            ),
          )
          onMade((made as { key?: string | null }).key ?? '')
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <TextInput
              label={t('keys.name')}
              description={t('keys.name.note')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={errorOf('name')}
              required
              autoFocus
            />
            <Checkbox.Group
              label={t('keys.scopes')}
              value={scopes}
              onChange={(next) => setScopes(next as Scope[])}
              error={errorOf('scopes')}
            >
              <div className={css.shown}>
                {(['read', 'send', 'session'] as const).map((scope) => (
                  <Checkbox key={scope} value={scope} label={t(`keys.scope.${scope}`)} />
                ))}
              </div>
            </Checkbox.Group>
            <NativeSelect
              label={t('keys.expires')}
              value={days}
              onChange={(event) => setDays(event.currentTarget.value)}
              error={errorOf('expires_at')}
              data={[
                { value: '', label: t('keys.no_end') },
                ...[30, 90, 365].map((count) => ({ value: String(count), label: t('keys.days', { count }) })),
              ]}
            />
            <Checkbox checked={test} onChange={(event) => setTest(event.currentTarget.checked)} label={t('keys.test.note')} />
          </>
        )}
      </Form>
    </Dialog>
  )
}

/** What is shown once: it has to be kept now. */
export function Secret({ title, secret, onClose }: { title: string; secret: string; onClose: () => void }) {
  return (
    <Dialog title={title} onClose={onClose} wide>
      <Notice tone="amber">{t('secret.once')}</Notice>
      <Line text={secret} />
      <Buttons>
        <Button look="main" onClick={onClose}>
          {t('secret.kept')}
        </Button>
      </Buttons>
    </Dialog>
  )
}
