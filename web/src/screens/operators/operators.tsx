import { IconPlus } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { may, me, type Role } from '../../api/door'
import { usePaged } from '../../api/paged'
import type { OperatorRecord } from '../../api/records'
import { usePlace } from '../../frame/place'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { Dialog } from '../../pieces/dialog'
import { ErrorCard } from '../../pieces/error_card'
import { useFilters } from '../../pieces/filters'
import { Fields, NativeSelect, SegmentedControl, TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Badge, Pill } from '../../pieces/pill'
import { Record } from '../../pieces/record'
import { Fact, Facts, Heading } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { beside, Table, type Column } from '../../pieces/table'
import { toast } from '../../pieces/toast'
import { said, t, type Key } from '../../words/speak'
import { Secret } from '../tenant/keys'

const roles: Role[] = ['owner', 'admin', 'support', 'viewer']

/** Who may come in, and what they may do. */
export default function Operators() {
  usePlace({ label: t('operators.title') })
  const [{ open }, want] = useFilters<{ open?: string | undefined }>()
  const { data: self } = useQuery(me)
  const [secret, setSecret] = useState<{ title: string; text: string } | null>(null)
  const list = usePaged(['operators'], (cursor, signal) =>
    got(api.GET('/v1/admin/operators', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal })),
  )
  const owner = may(self?.operator.role, 'owner')
  const shown = list.rows?.find((row) => row.id === open)
  return (
    <>
      <Heading title={t('operators.title')} note={t('operators.note')}>
        {owner && (
          <Button icon={IconPlus} look="main" onClick={() => want({ open: 'new' })}>
            {t('operators.new')}
          </Button>
        )}
      </Heading>
      {list.error && <ErrorCard error={list.error} retry={list.retry} />}
      {(!list.error || list.rows) && (
        <Table
          label={t('operators.title')}
          columns={columns(self?.operator.id)}
          rows={list.rows}
          keyOf={(row) => row.id}
          to={(row) => beside(row.id)}
          open={open}
          more={list.more}
          empty={null}
        />
      )}
      {open === 'new' && owner && <NewOperator onClose={() => want({ open: undefined })} onMade={setSecret} />}
      {shown && <OperatorView key={shown.id} record={shown} owner={owner} onClose={() => want({ open: undefined })} onSecret={setSecret} />}
      {secret && <Secret title={secret.title} secret={secret.text} onClose={() => setSecret(null)} />}
    </>
  )
}

const columns = (self: string | undefined): Column<OperatorRecord>[] => [
  {
    key: 'name',
    text: true,
    head: t('operators.name'),
    width: 'minmax(9rem, 1fr)',
    cell: (row) => (
      <>
        {row.name} {row.id === self && <Badge tone="grey">{t('operators.you')}</Badge>}
      </>
    ),
  },
  {
    key: 'email',
    head: t('door.email'),
    width: 'minmax(10rem, 1.2fr)',
    cell: (row) => row.email ?? <span className="dim">{t('operators.token')}</span>,
    narrow: 'below',
  },
  { key: 'role', head: t('operators.role'), width: '8rem', cell: (row) => said(`role.${row.role}`), narrow: 'aside' },
  {
    key: 'state',
    head: t('filter.status'),
    width: '8rem',
    cell: (row) => <Pill status={row.revoked_at ? 'revoked' : 'active'} />,
    narrow: 'hide',
  },
  { key: 'since', head: t('tenants.since'), width: '7.5rem', cell: (row) => <Since at={row.created_at} />, narrow: 'hide' },
]

function NewOperator({ onClose, onMade }: { onClose: () => void; onMade: (secret: { title: string; text: string }) => void }) {
  const queries = useQueryClient()
  const [kind, setKind] = useState('person')
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Role>('support')
  return (
    <Dialog title={t('operators.new')} onClose={onClose}>
      <Fields>
        <SegmentedControl
          aria-label={t('operators.kind')}
          value={kind}
          onChange={setKind}
          data={[
            { value: 'person', label: t('operators.person') },
            { value: 'program', label: t('operators.program') },
          ]}
        />
      </Fields>
      <Form
        act={kind === 'person' ? t('operators.invite') : t('operators.make_token')}
        send={async () => {
          const made = await guarded(() =>
            got(api.POST('/v1/admin/operators', { body: { name, role, ...(kind === 'person' && { email }) } })),
          )
          void queries.invalidateQueries({ queryKey: ['operators'] })
          onClose()
          if (made.invitation) onMade({ title: t('operators.invitation', { name }), text: addressOf(made.invitation) })
          else if (made.token) onMade({ title: t('operators.token.once', { name }), text: made.token })
        }}
        onCancel={onClose}
        cancel={t('do.cancel')}
      >
        {(errorOf) => (
          <>
            <TextInput
              label={t('operators.name')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={errorOf('name')}
              required
              autoFocus
            />
            {kind === 'person' && (
              <TextInput
                label={t('door.email')}
                type="email"
                value={email}
                onChange={(event) => setEmail(event.currentTarget.value)}
                error={errorOf('email')}
                autoComplete="off"
                required
              />
            )}
            <RoleChoice role={role} onChange={setRole} error={errorOf('role')} />
          </>
        )}
      </Form>
    </Dialog>
  )
}

/** The server tells the path of a page; whoever is sent it needs to know where. */
const addressOf = (path: string) => new URL(path, window.location.origin).href

function RoleChoice({ role, onChange, error }: { role: Role; onChange: (role: Role) => void; error: string | undefined }) {
  return (
    <NativeSelect
      label={t('operators.role')}
      description={said(`role.may.${role}`)}
      value={role}
      onChange={(event) => onChange(event.currentTarget.value as Role)}
      data={roles.map((value) => ({ value, label: said(`role.${value}`) }))}
      error={error}
    />
  )
}

function OperatorView({
  record,
  owner,
  onClose,
  onSecret,
}: {
  record: OperatorRecord
  owner: boolean
  onClose: () => void
  onSecret: (secret: { title: string; text: string }) => void
}) {
  const queries = useQueryClient()
  const [name, setName] = useState(record.name)
  const [role, setRole] = useState<Role>(record.role)
  const path = { params: { path: { id: record.id } } }
  const renew = () => queries.invalidateQueries({ queryKey: ['operators'] })
  const inviteAgain = (title: Key, reach: Key, remove_second_factor: boolean) =>
    confirm({
      title: t(title),
      reach: t(reach, { name: record.name }),
      act: t('operators.again'),
      danger: remove_second_factor,
      run: async () => {
        const { invitation } = await guarded(() =>
          got(api.POST('/v1/admin/operators/{id}/invitation', { ...path, body: { remove_second_factor } })),
        )
        onSecret({ title: t('operators.invitation', { name: record.name }), text: addressOf(invitation) })
      },
    })
  return (
    <Record
      title={record.name}
      lead={<span className="dim">{said(`role.${record.role}`)}</span>}
      onClose={onClose}
      actions={
        owner && (
          <>
            {record.email && (
              <>
                <Button onClick={() => inviteAgain('operators.again', 'operators.again.reach', false)}>{t('operators.again')}</Button>
                <Button onClick={() => inviteAgain('operators.lost', 'operators.lost.reach', true)}>{t('operators.lost')}</Button>
              </>
            )}
            <Button
              look="danger"
              onClick={() =>
                confirm({
                  title: t('operators.remove'),
                  reach: t('operators.remove.reach', { name: record.name }),
                  typed: record.name,
                  act: t('operators.remove'),
                  danger: true,
                  run: async () => {
                    await guarded(() => api.DELETE('/v1/admin/operators/{id}', path))
                    onClose()
                    await renew()
                  },
                })
              }
            >
              {t('operators.remove')}
            </Button>
          </>
        )
      }
    >
      <Facts>
        <Fact name={t('door.email')}>{record.email ?? t('operators.token')}</Fact>
        <Fact name={t('tenants.since')}>
          <Since at={record.created_at} />
        </Fact>
        <Fact name={t('operators.may')}>{said(`role.may.${record.role}`)}</Fact>
      </Facts>
      {owner && (
        <>
          <h3>{t('operators.change')}</h3>
          <Form
            act={t('do.save')}
            ready={name !== record.name || role !== record.role}
            send={() => guarded(() => got(api.PATCH('/v1/admin/operators/{id}', { ...path, body: { name, role } })))}
            onSent={() => {
              toast({ text: t('do.saved') })
              void renew()
            }}
          >
            {(errorOf) => (
              <>
                <TextInput
                  label={t('operators.name')}
                  value={name}
                  onChange={(event) => setName(event.currentTarget.value)}
                  error={errorOf('name')}
                  required
                />
                <RoleChoice role={role} onChange={setRole} error={errorOf('role')} />
              </>
            )}
          </Form>
        </>
      )}
    </Record>
  )
}
