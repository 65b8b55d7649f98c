import { IconDatabaseExport } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { may, me } from '../../api/door'
import { usePlace } from '../../frame/place'
import { Button } from '../../pieces/button'
import { ErrorCard, causeOf } from '../../pieces/error_card'
import { Search } from '../../pieces/filters'
import { Pill } from '../../pieces/pill'
import { PlainTable } from '../../pieces/plain_table'
import { Columns, Fact, Facts, Heading, Section } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { toast } from '../../pieces/toast'
import { bytes, duration } from '../../words/amounts'
import { has, said, t } from '../../words/speak'
import { LogLevel } from './log_level'

const system = {
  queryKey: ['system'],
  queryFn: ({ signal }: { signal: AbortSignal }) => got(api.GET('/v1/admin/system', { signal })),
  refetchInterval: 10_000,
}

/** The installation itself. */
export default function System() {
  usePlace({ label: t('system.title') })
  const { data, error, refetch } = useQuery(system)
  return (
    <>
      <Heading title={t('system.title')} />
      {error && <ErrorCard error={error} retry={() => void refetch()} />}
      <Columns>
        <Section
          title={t('system.readiness')}
          actions={data && <Pill status={data.ready ? 'ready' : 'down'} word={data.ready ? t('status.ready') : t('system.not_ready')} />}
        >
          {!data && <Skeleton lines={5} />}
          {data && (
            <Facts>
              {Object.entries(data.checks).map(([name, state]) => (
                <Fact key={name} name={name}>
                  <Pill
                    status={['ok', 'degraded'].includes(state) ? state : 'down'}
                    word={has(`status.${state}`) ? said(`status.${state}`) : state}
                  />
                </Fact>
              ))}
            </Facts>
          )}
        </Section>
        <Section title={t('system.about')}>
          {!data && <Skeleton lines={5} />}
          {data && (
            <Facts>
              <Fact name={t('system.version')}>
                <code>{data.version}</code>
              </Fact>
              <Fact name={t('system.uptime')}>{duration(data.uptime_s * 1_000)}</Fact>
              <Fact name={t('system.engines')}>{data.engines.join(', ')}</Fact>
              <Fact name={t('system.store')}>{data.store ? `${data.store.backend}, ${bytes(data.store.bytes)}` : '–'}</Fact>
              <Fact name={t('system.schema')}>{data.store ? <code>{data.store.schema}</code> : '–'}</Fact>
            </Facts>
          )}
        </Section>
        <LogLevel />
        <Backups />
      </Columns>
      <Configuration config={data?.config} />
    </>
  )
}

function Backups() {
  const { data: self } = useQuery(me)
  const queries = useQueryClient()
  const { data, error } = useQuery({
    queryKey: ['backups'],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/backups', { signal })),
  })
  const make = useMutation({
    mutationFn: () => guarded(() => got(api.POST('/v1/admin/backups'))),
    onSuccess: (made) => {
      toast({ text: t('backup.done', { path: made?.path ?? '' }) })
      void queries.invalidateQueries({ queryKey: ['backups'] })
    },
    onError: (problem) => toast({ text: causeOf(problem), tone: 'red' }),
  })
  return (
    <Section
      title={t('backup.title')}
      note={t('backup.note')}
      actions={
        may(self?.operator.role, 'owner') && (
          <Button icon={IconDatabaseExport} busy={make.isPending} onClick={() => make.mutate()}>
            {t('backup.act')}
          </Button>
        )
      }
    >
      {error && <ErrorCard error={error} />}
      {data?.data.length === 0 && <p className="dim">{t('backup.none')}</p>}
      {data && data.data.length > 0 && (
        <Facts>
          {data.data.slice(0, 10).map((one) => (
            <Fact key={one.path} name={bytes(one.bytes)}>
              <code>{one.path}</code>{' '}
              {one.at && (
                <span className="dim">
                  <Since at={one.at} />
                </span>
              )}
            </Fact>
          ))}
        </Facts>
      )}
    </Section>
  )
}

/** Every key as it binds, and who set it. Secrets say only that they are set. */
function Configuration({ config }: { config: { key: string; value?: unknown; source: string }[] | undefined }) {
  const [text, setText] = useState<string>()
  const rows = config?.filter((one) => !text || `${one.key} ${shown(one.value)}`.toLowerCase().includes(text.toLowerCase()))
  return (
    <Section
      title={t('config.title')}
      note={t('config.note')}
      flush
      actions={<Search label={t('config.search')} value={text} onChange={setText} />}
    >
      {!rows && <Skeleton lines={6} />}
      {rows && (
        <PlainTable label={t('config.title')}>
          <thead>
            <tr>
              <th>{t('config.key')}</th>
              <th>{t('config.value')}</th>
              <th>{t('config.source')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <tr key={one.key}>
                <td className="mono">{one.key}</td>
                <td className="mono">{shown(one.value)}</td>
                <td className="dim">{one.source}</td>
              </tr>
            ))}
          </tbody>
        </PlainTable>
      )}
    </Section>
  )
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
