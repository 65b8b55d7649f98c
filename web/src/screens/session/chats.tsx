import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got } from '../../api/client'
import { reading, useLook } from '../../api/look'
import type { FleetSession } from '../../api/records'
import { Problem } from '../../api/problems'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { Search } from '../../pieces/filters'
import { Section } from '../../pieces/section'
import { Skeleton } from '../../pieces/skeleton'
import { t } from '../../words/speak'
import { LookButton } from '../tenant/look'
import css from './chats.module.css'

/** Whom the account knows, and its groups: only within a look, for these are the tenant's own. */
export function Chats({ record }: { record: FleetSession }) {
  const look = useLook()
  const [text, setText] = useState<string>()
  const seen = look?.tenant === record.tenant ? look.id : null
  const call = { params: { path: { id: record.id } }, headers: reading(record.tenant) }
  const contacts = useQuery({
    queryKey: ['contacts', record.id, seen],
    queryFn: ({ signal }) => got(api.GET('/v1/sessions/{id}/contacts', { ...call, signal })),
  })
  const groups = useQuery({
    queryKey: ['groups', record.id, seen],
    queryFn: ({ signal }) => got(api.GET('/v1/sessions/{id}/groups', { ...call, signal })),
  })
  const error = contacts.error ?? groups.error
  if (error instanceof Problem && (error.code === 'look_required' || error.fault === 'look_required' || (error.status === 403 && !seen))) {
    return (
      <Section>
        <Empty text={t('chats.hidden')}>
          <LookButton tenant={record.tenant} name={record.tenant_name ?? ''} />
        </Empty>
      </Section>
    )
  }
  if (error) {
    return (
      <ErrorCard
        error={error}
        retry={() => {
          void contacts.refetch()
          void groups.refetch()
        }}
      />
    )
  }
  const fits = (name: string) => !text || name.toLowerCase().includes(text.toLowerCase())
  return (
    <>
      <Search label={t('chats.search')} value={text} onChange={setText} />
      <div className={css.two}>
        <Section title={t('chats.contacts')} flush>
          {!contacts.data && <Skeleton />}
          <ul className={css.list}>
            {contacts.data?.data
              .filter((one) => fits(`${one.name ?? ''} ${one.chat}`))
              .slice(0, 200)
              .map((one) => (
                <li key={one.chat}>
                  <span>{one.name ?? <span className="dim">{t('chats.nameless')}</span>}</span>
                  <code dir="ltr">{one.chat}</code>
                </li>
              ))}
          </ul>
          {contacts.data?.data.length === 0 && <p className={css.none}>{t('chats.contacts.none')}</p>}
        </Section>
        <Section title={t('chats.groups')} flush>
          {!groups.data && <Skeleton />}
          <ul className={css.list}>
            {groups.data?.data
              .filter((one) => fits(one.subject))
              .slice(0, 200)
              .map((one) => (
                <li key={one.chat}>
                  <span>{one.subject}</span>
                  <span className="dim small">{t('chats.people', { count: one.participants })}</span>
                </li>
              ))}
          </ul>
          {groups.data?.data.length === 0 && <p className={css.none}>{t('chats.groups.none')}</p>}
        </Section>
      </div>
    </>
  )
}
