// The numbers a tenant does not write to: people who said STOP, and what was entered by hand. docs/RESTRAINT.md says what that is.

import { IconPlus, IconTrash } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useEffectEvent, useState } from 'react'
import { api, got } from '../../api/client'
import { may, me } from '../../api/door'
import { onBehalf, reading, useLook } from '../../api/look'
import { usePaged } from '../../api/paged'
import type { TenantRecord } from '../../api/records'
import type { components } from '../../api/schema'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { Dialog } from '../../pieces/dialog'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { TextInput } from '../../pieces/fields'
import { Filters, Search, useFilters } from '../../pieces/filters'
import { Form } from '../../pieces/form'
import { Raw } from '../../pieces/raw'
import { Record } from '../../pieces/record'
import { Fact, Facts, Notice } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { beside, Table, type Column } from '../../pieces/table'
import { toast } from '../../pieces/toast'
import { t } from '../../words/speak'
import { fits, phoneOf } from './numbers'
import css from './tenant.module.css'

type Suppression = components['schemas']['Suppression']

const keyOf = (tenant: string) => ['suppressions', tenant]

export function StopList({ tenant }: { tenant: TenantRecord }) {
  const { data: self } = useQuery(me)
  const look = useLook()
  const [{ open }, want] = useFilters<{ open?: string | undefined }>()
  // Not in the address: it is somebody's number.
  const [text, setText] = useState<string>()
  const [adding, setAdding] = useState(false)
  const list = usePaged(keyOf(tenant.id), (cursor, signal) =>
    got(
      api.GET('/v1/suppressions', {
        params: { query: { limit: 200, ...(cursor && { cursor }) } },
        headers: reading(tenant.id),
        signal,
      }),
    ),
  )
  const acts = look?.tenant !== tenant.id && may(self?.operator.role, 'admin')
  const found = text ? list.rows?.filter((row) => fits(row.phone, text)) : list.rows
  const shown = list.rows?.find((row) => row.id === open)
  // The server searches no numbers, so a search goes through the list to its end.
  const seeks = text !== undefined && list.more !== undefined
  const go = useEffectEvent(() => list.more?.())
  useEffect(() => {
    if (seeks) go()
  }, [seeks, list.rows?.length])
  return (
    <>
      <p className={css.about}>{t('stop.what')}</p>
      <Filters set={text !== undefined} onClear={() => setText(undefined)}>
        <Search label={t('stop.search')} value={text} onChange={setText} />
        {acts && (
          <Button icon={IconPlus} onClick={() => setAdding(true)}>
            {t('stop.add')}
          </Button>
        )}
      </Filters>
      {list.error && <ErrorCard error={list.error} retry={list.retry} />}
      {(!list.error || list.rows) && (
        <Table
          label={t('stop.title')}
          columns={columns()}
          rows={found}
          keyOf={(row) => row.id}
          to={(row) => beside(row.id)}
          open={open}
          more={list.more}
          empty={
            text ? (
              <Empty text={t('stop.none')} />
            ) : (
              <Empty
                text={t('stop.empty')}
                line={`curl ${window.location.origin}/v1/suppressions -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"phone":"+15551230001"}'`}
              />
            )
          }
        />
      )}
      {shown && <Entry key={shown.id} entry={shown} tenant={tenant} acts={acts} onClose={() => want({ open: undefined })} />}
      {adding && <Add tenant={tenant} onClose={() => setAdding(false)} />}
    </>
  )
}

function Entry({ entry, tenant, acts, onClose }: { entry: Suppression; tenant: TenantRecord; acts: boolean; onClose: () => void }) {
  const queries = useQueryClient()
  return (
    <Record
      title={entry.phone}
      onClose={onClose}
      actions={
        acts &&
        entry.by === 'tenant' && (
          <Button
            icon={IconTrash}
            look="danger"
            onClick={() =>
              confirm({
                title: t('stop.remove'),
                reach: t('stop.remove.reach', { phone: entry.phone, name: tenant.name }),
                act: t('stop.remove.act'),
                danger: true,
                run: async () => {
                  await api.DELETE('/v1/suppressions/{id}', { params: { path: { id: entry.id } }, headers: onBehalf(tenant.id) })
                  toast({ text: t('stop.removed') })
                  onClose()
                  await queries.invalidateQueries({ queryKey: keyOf(tenant.id) })
                },
              })
            }
          >
            {t('stop.remove')}
          </Button>
        )
      }
    >
      <Notice tone="grey">{t(`stop.means.${entry.by}`)}</Notice>
      <Facts>
        <Fact name={t('stop.number')}>
          <span className="mono" dir="ltr">
            {entry.phone}
          </span>
        </Fact>
        <Fact name={t('stop.by')}>{t(`stop.by.${entry.by}`)}</Fact>
        <Fact name={t('stop.since')}>
          <Since at={entry.since} />
        </Fact>
      </Facts>
      <h3>{t('record.raw')}</h3>
      <Raw value={entry} />
    </Record>
  )
}

function Add({ tenant, onClose }: { tenant: TenantRecord; onClose: () => void }) {
  const queries = useQueryClient()
  const [text, setText] = useState('')
  const phone = phoneOf(text)
  return (
    <Dialog title={t('stop.add')} onClose={onClose}>
      <p>{t('stop.add.reach', { name: tenant.name })}</p>
      <Form
        act={t('stop.add.act')}
        ready={phone !== null}
        send={async () => {
          const entry = await got(api.POST('/v1/suppressions', { headers: onBehalf(tenant.id), body: { phone: phone ?? '' } }))
          toast({ text: entry.by === 'contact' ? t('stop.stood') : t('stop.added') })
        }}
        onSent={() => {
          void queries.invalidateQueries({ queryKey: keyOf(tenant.id) })
          onClose()
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <TextInput
            label={t('stop.number')}
            description={t('stop.number.note')}
            placeholder="+15551230001"
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            error={errorOf('phone')}
            type="tel"
            dir="ltr"
            autoComplete="off"
            required
            autoFocus
          />
        )}
      </Form>
    </Dialog>
  )
}

const columns = (): Column<Suppression>[] => [
  {
    key: 'phone',
    head: t('stop.number'),
    width: 'minmax(11rem, 1fr)',
    cell: (row) => (
      <span className="mono" dir="ltr">
        {row.phone}
      </span>
    ),
  },
  { key: 'by', head: t('stop.by'), width: 'minmax(12rem, 1.4fr)', cell: (row) => t(`stop.by.${row.by}`), narrow: 'below' },
  { key: 'since', head: t('stop.since'), width: '8rem', cell: (row) => <Since at={row.since} />, narrow: 'aside' },
]
