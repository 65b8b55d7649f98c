import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { transports } from '../../api/fleet'
import type { Transport } from '../../api/records'
import { usePlace } from '../../frame/place'
import { Empty } from '../../pieces/empty'
import { ErrorCard } from '../../pieces/error_card'
import { IdChip } from '../../pieces/id_chip'
import { Badge, Pill } from '../../pieces/pill'
import { PlainTable } from '../../pieces/plain_table'
import { Fact, Facts, Heading, Notice, Section } from '../../pieces/section'
import { Since } from '../../pieces/since'
import { Skeleton } from '../../pieces/skeleton'
import { bytes, duration, number } from '../../words/amounts'
import { has, said, t } from '../../words/speak'

/** Three beats missed, and a process is killed and started again: two late ones are worth a colour. */
const lateMs = 10_000

/** What carries sessions to WhatsApp, and how its processes are. */
export default function Transports() {
  usePlace({ label: t('transports.title') })
  const { data, error, refetch } = useQuery(transports)
  return (
    <>
      <Heading title={t('transports.title')} note={t('transports.note')} />
      {error && !data && <ErrorCard error={error} retry={() => void refetch()} />}
      {!error && !data && (
        <Section>
          <Skeleton lines={6} />
        </Section>
      )}
      {data?.data.length === 0 && (
        <Section>
          <Empty text={t('transports.empty')} />
        </Section>
      )}
      {data?.data.map((one) => (
        <One key={`${one.engine} ${one.release}`} transport={one} />
      ))}
    </>
  )
}

function One({ transport }: { transport: Transport }) {
  return (
    <Section
      title={
        <>
          {transport.engine} <code className="dim">{transport.release || t('overview.builtin')}</code>{' '}
          <Pill status={transport.state} word={has(`status.${transport.state}`) ? said(`status.${transport.state}`) : transport.state} />{' '}
          {transport.experimental && <Badge tone="amber">{t('transports.experimental')}</Badge>}
        </>
      }
      actions={
        <Link to="/sessions" search={{ engine: transport.engine }} className="small">
          {t('count.sessions', { count: transport.sessions })}
        </Link>
      }
    >
      {transport.warning && <Notice tone="grey">{transport.warning}</Notice>}
      <Facts>
        {transport.checksum && (
          <Fact name={t('transports.checksum')}>
            <IdChip id={transport.checksum} />
          </Fact>
        )}
        <Fact name={t('transports.can')}>
          {transport.capabilities && transport.capabilities.length > 0 ? (
            <span className="mono small">{transport.capabilities.join('  ')}</span>
          ) : (
            '–'
          )}
        </Fact>
      </Facts>
      {transport.shards.length > 0 && (
        <PlainTable label={`${transport.engine} ${transport.release ?? ''}`}>
          <thead>
            <tr>
              <th>{t('transports.shard')}</th>
              <th data-end>{t('sessions.title')}</th>
              <th>{t('transports.up')}</th>
              <th data-end>{t('transports.restarts')}</th>
              <th data-end>{t('transports.beat')}</th>
              <th data-end>{t('transports.memory')}</th>
            </tr>
          </thead>
          <tbody>
            {transport.shards.map((shard) => (
              <tr key={shard.id}>
                <td className="mono">{shard.id}</td>
                <td data-end>{number(shard.sessions)}</td>
                <td>
                  <Since at={shard.since} />
                </td>
                <td data-end>{number(shard.restarts)}</td>
                <td data-end>
                  {shard.last_beat_ms !== null && shard.last_beat_ms > lateMs ? (
                    <Badge tone="amber">{duration(shard.last_beat_ms)}</Badge>
                  ) : (
                    duration(shard.last_beat_ms)
                  )}
                </td>
                <td data-end>{bytes(shard.resident_bytes)}</td>
              </tr>
            ))}
          </tbody>
        </PlainTable>
      )}
    </Section>
  )
}
