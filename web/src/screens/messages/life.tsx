import type { Stop } from '../../api/records'
import { duration } from '../../words/amounts'
import { has, said } from '../../words/speak'
import { absolute, precise } from '../../words/times'
import css from './messages.module.css'

const bad = ['failed', 'dead', 'expired', 'unknown', 'canceled']

/** The stops of a message as a line, with the time between them. */
export function Life({ stops, status }: { stops: Stop[]; status: string }) {
  return (
    <ol className={css.life}>
      {stops.map((stop, at) => (
        <li key={`${stop.stop} ${stop.at}`} data-bad={(at === stops.length - 1 && bad.includes(status)) || undefined}>
          {at > 0 && stop.ms !== null && <span className={css.between}>{duration(stop.ms)}</span>}
          <span className={css.stop}>{has(`stop.${stop.stop}`) ? said(`stop.${stop.stop}`) : stop.stop}</span>
          <time className="dim mono" dateTime={stop.at} data-tip={absolute(Date.parse(stop.at))}>
            {precise(Date.parse(stop.at))}
          </time>
        </li>
      ))}
    </ol>
  )
}
