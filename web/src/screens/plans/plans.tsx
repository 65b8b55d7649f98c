import { IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { may, me } from '../../api/door'
import { plans } from '../../api/tenants'
import type { components } from '../../api/schema'
import { usePlace } from '../../frame/place'
import { Button } from '../../pieces/button'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { useFilters } from '../../pieces/filters'
import { Badge } from '../../pieces/pill'
import { Heading } from '../../pieces/section'
import { beside, Table, type Column } from '../../pieces/table'
import { money, number } from '../../words/amounts'
import { said, t } from '../../words/speak'
import { PlanEditor } from './plan_editor'

export type Plan = components['schemas']['Plan']

/** What tenants can have, and for how much. */
export default function Plans() {
  usePlace({ label: t('plans.title') })
  const [{ open }, want] = useFilters<{ open?: string | undefined }>()
  const { data: self } = useQuery(me)
  const { data, error, refetch } = useQuery(plans)
  const admin = may(self?.operator.role, 'admin')
  const shown = data?.data.find((plan) => plan.code === open)
  return (
    <>
      <Heading title={t('plans.title')} note={t('plans.note')}>
        {admin && (
          <Button icon={IconPlus} look="main" onClick={() => want({ open: 'new' })}>
            {t('plans.new')}
          </Button>
        )}
      </Heading>
      {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
      {(!error || data) && (
        <Table
          label={t('plans.title')}
          columns={columns()}
          rows={data?.data}
          keyOf={(row) => row.code}
          to={(row) => beside(row.code)}
          open={open}
          empty={
            <Empty text={t('plans.empty')}>
              {admin && (
                <Button icon={IconPlus} onClick={() => want({ open: 'new' })}>
                  {t('plans.new')}
                </Button>
              )}
            </Empty>
          }
        />
      )}
      {(shown || (open === 'new' && admin)) && (
        <PlanEditor key={open} plan={shown} editable={admin} onClose={() => want({ open: undefined })} />
      )}
    </>
  )
}

const columns = (): Column<Plan>[] => [
  { key: 'name', text: true, head: t('plans.name'), width: 'minmax(9rem, 1.4fr)', cell: (row) => row.name },
  {
    key: 'code',
    spare: true,
    head: t('plans.code'),
    width: 'minmax(6rem, 0.8fr)',
    cell: (row) => <code className="dim">{row.code}</code>,
    narrow: 'below',
  },
  {
    key: 'price',
    head: t('plans.price'),
    width: '9rem',
    end: true,
    cell: (row) => (
      <>
        {money(row.price_minor, row.currency)} <span className="dim">{said(`interval.${row.interval}`)}</span>
      </>
    ),
    narrow: 'aside',
  },
  { key: 'month', head: t('plans.month'), width: '8.5rem', end: true, cell: (row) => number(row.messages_per_month), narrow: 'hide' },
  { key: 'minute', head: t('plans.minute'), width: '7.5rem', end: true, cell: (row) => number(row.messages_per_minute), narrow: 'hide' },
  { key: 'sessions', head: t('sessions.title'), width: '6rem', end: true, cell: (row) => number(row.sessions_max), narrow: 'hide' },
  {
    key: 'beyond',
    head: t('plans.beyond'),
    width: '9rem',
    cell: (row) => (row.quota === 'hard' ? <Badge tone="grey">{t('plans.hard')}</Badge> : <Badge tone="blue">{t('plans.soft')}</Badge>),
    narrow: 'hide',
  },
]
