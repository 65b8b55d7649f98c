import { IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react'
import { useState } from 'react'
import type { FleetSession } from '../../api/records'
import type { FeedEvent } from '../../feed/machine'
import { useFeed } from '../../feed/use_feed'
import { Button } from '../../pieces/button'
import { Choice } from '../../pieces/filters'
import { IdChip } from '../../pieces/id_chip'
import { Pill } from '../../pieces/pill'
import { Section } from '../../pieces/section'
import { has, said, t } from '../../words/speak'
import { precise } from '../../words/times'
import css from './session.module.css'

/** More than fit on a screen help nobody, and a list is no log. */
const kept = 200

/** What happens, as it happens. Paused, it gathers until it is let go. */
export function Events({ record }: { record: FleetSession }) {
  const [events, setEvents] = useState<(FeedEvent & { key: number })[]>([])
  const [held, setHeld] = useState<typeof events | null>(null)
  const [kind, setKind] = useState<string>()
  const [gaps, setGaps] = useState(0)
  useFeed(
    record.tenant,
    (event) => {
      if (event.s !== record.id) return
      setEvents((before) => [{ ...event, key: (before[0]?.key ?? 0) + 1 }, ...before.slice(0, kept - 1)])
    },
    () => setGaps((before) => before + 1),
  )
  const shown = (held ?? events).filter((event) => !kind || event.e === kind)
  const waiting = held ? (events[0]?.key ?? 0) - (held[0]?.key ?? 0) : 0
  return (
    <Section
      flush
      title={t('session.events')}
      note={gaps > 0 ? t('events.gaps', { count: gaps }) : t('events.note')}
      actions={
        <span className={css.bar}>
          {waiting > 0 && <span className="small dim">{t('list.new', { count: waiting })}</span>}
          <Choice
            label={t('events.kind')}
            value={kind}
            options={['msg', 'in', 'session', 'usage'].map((value) => ({ value, label: said(`events.${value}`) }))}
            onChange={setKind}
          />
          <Button icon={held ? IconPlayerPlay : IconPlayerPause} onClick={() => setHeld(held ? null : events)}>
            {held ? t('events.go') : t('events.pause')}
          </Button>
        </span>
      }
    >
      {shown.length === 0 && <p className={css.waiting}>{t('events.none')}</p>}
      <ul className={css.events} aria-live="off" data-scrolls>
        {shown.map((event) => (
          <li key={event.key}>
            <code className="dim">{event.t ? precise(event.t) : ''}</code>
            <span>{has(`events.${event.e}`) ? said(`events.${event.e}`) : event.e}</span>
            {event.c ? <Pill status={event.c} word={said(`status.${event.c}`)} /> : <span />}
            <IdChip id={event.id} />
          </li>
        ))}
      </ul>
    </Section>
  )
}
