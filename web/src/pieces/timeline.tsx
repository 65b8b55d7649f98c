import type { Stretch } from '../api/records'
import { duration } from '../words/amounts'
import { said, t } from '../words/speak'
import { useNow } from './now'
import { StatePill, toneOf } from './pill'
import { Since } from './since'
import css from './timeline.module.css'

/** The states a session went through, newest first, with how long each lasted. */
export function Timeline({ stretches }: { stretches: Stretch[] }) {
  const now = useNow(10_000)
  return (
    <ol className={css.timeline}>
      {stretches.map((stretch) => {
        const until = stretch.until ? Date.parse(stretch.until) : now
        return (
          <li key={stretch.since} data-tone={toneOf(stretch.status)}>
            <StatePill status={stretch.status} />
            <span className={css.reason}>
              {stretch.reason ? said(`session.reason.${stretch.reason}`) : ''}
              {stretch.reason && <code className="dim"> {stretch.reason}</code>}
            </span>
            <span className={css.lasted}>
              {stretch.until
                ? duration(until - Date.parse(stretch.since))
                : t('timeline.still', { time: duration(until - Date.parse(stretch.since)) })}
            </span>
            <span className="dim small">
              <Since at={stretch.since} />
            </span>
          </li>
        )
      })}
    </ol>
  )
}
