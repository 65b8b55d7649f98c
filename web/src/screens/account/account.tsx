import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { me } from '../../api/door'
import { usePlace } from '../../frame/place'
import { signOut } from '../../frame/sign_out'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { ErrorCard } from '../../pieces/error_card'
import { PasswordInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Badge } from '../../pieces/pill'
import { Columns, Fact, Facts, Heading, Section } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { toast } from '../../pieces/toast'
import { said, t } from '../../words/speak'
import { NewPassword, shortest } from '../door/passwords'
import css from './account.module.css'
import { SecondFactor } from './second_factor'

export default function Account() {
  usePlace({ label: t('account.title') })
  const { data } = useQuery(me)
  return (
    <>
      <Heading title={t('account.title')} />
      <Columns>
        <div>
          <Section title={data?.operator.name ?? '…'}>
            {data ? (
              <Facts>
                <Fact name={t('door.email')}>{data.operator.email ?? '–'}</Fact>
                <Fact name={t('operators.role')}>{said(`role.${data.operator.role}`)}</Fact>
                <Fact name={t('operators.may')}>{said(`role.may.${data.operator.role}`)}</Fact>
              </Facts>
            ) : (
              <Skeleton />
            )}
          </Section>
          <ChangePassword />
        </div>
        <div>
          {data && <SecondFactor operator={data.operator} />}
          <SignIns />
        </div>
      </Columns>
    </>
  )
}

function ChangePassword() {
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  return (
    <Section title={t('account.password')}>
      <Form
        act={t('account.password.act')}
        ready={next.length >= shortest}
        send={() => api.POST('/v1/admin/me/password', { body: { current, new: next } })}
        onSent={() => {
          setCurrent('')
          setNext('')
          toast({ text: t('account.password.done') })
        }}
      >
        {(errorOf) => (
          <>
            <PasswordInput
              label={t('account.password.current')}
              value={current}
              onChange={(event) => setCurrent(event.currentTarget.value)}
              autoComplete="current-password"
              error={errorOf('current')}
              required
            />
            <NewPassword label={t('account.password.new')} value={next} onChange={setNext} error={errorOf('new')} />
          </>
        )}
      </Form>
    </Section>
  )
}

/** Where one is signed in. */
function SignIns() {
  const queries = useQueryClient()
  const key = ['sign-ins']
  const { data, error, refetch } = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => got(api.GET('/v1/admin/me/sign-ins', { signal })),
  })
  return (
    <Section
      title={t('sign_ins.title')}
      flush
      actions={
        <Button
          look="danger"
          onClick={() =>
            confirm({
              title: t('sign_ins.all'),
              reach: t('sign_ins.all.reach', { count: data?.data.length ?? 1 }),
              act: t('sign_ins.all'),
              danger: true,
              run: () => signOut(true),
            })
          }
        >
          {t('sign_ins.all')}
        </Button>
      }
    >
      {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
      {!error && !data && <Skeleton />}
      <ul className={css.list}>
        {data?.data.map((one) => (
          <li key={one.id}>
            <div>
              <strong>{browserOf(one.agent)}</strong> {one.current && <Badge tone="green">{t('sign_ins.this')}</Badge>}
              <p className="small dim">
                <code>{one.address ?? '–'}</code> · {t('sign_ins.seen')} <Since at={one.seen_at} />
              </p>
            </div>
            {!one.current && (
              <Button
                onClick={() =>
                  void guarded(() => api.DELETE('/v1/admin/me/sign-ins/{id}', { params: { path: { id: one.id } } })).then(
                    () => queries.invalidateQueries({ queryKey: key }),
                    () => {},
                  )
                }
              >
                {t('sign_ins.end')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Section>
  )
}

/** The two words of a user agent that people know; the rest is history. */
export function browserOf(agent: string | null): string {
  if (!agent) return '–'
  const browser = /(Firefox|Edg|OPR|Chrome|Safari)\/(\d+)/.exec(agent)
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux|CrOS)/.exec(agent)
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera', 'Mac OS X': 'macOS', CrOS: 'ChromeOS' }
  const words = [browser?.[1], system?.[1]].filter((word) => word !== undefined).map((word) => names[word] ?? word)
  return words.length > 0 ? words.join(', ') : agent.slice(0, 40)
}
