import { readTimeline, timelineKey } from '../../api/fleet'
import { usePaged } from '../../api/paged'
import type { FleetSession } from '../../api/records'
import { Button } from '../../pieces/button'
import { ErrorCard } from '../../pieces/error_card'
import { Section } from '../../pieces/section'
import { Skeleton } from '../../pieces/skeleton'
import { Timeline } from '../../pieces/timeline'
import { t } from '../../words/speak'

/** The states it went through. */
export function Past({ record }: { record: FleetSession }) {
  const { rows, more, error, retry } = usePaged(timelineKey(record.id), (cursor, signal) =>
    readTimeline(record.tenant, record.id, cursor, signal),
  )
  return (
    <Section title={t('session.timeline')}>
      {error && !rows && <ErrorCard error={error} retry={retry} />}
      {!error && !rows && <Skeleton lines={6} />}
      {rows && <Timeline stretches={rows} />}
      {more && <Button onClick={more}>{t('list.older')}</Button>}
    </Section>
  )
}
