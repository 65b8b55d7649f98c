// How many of each state over time, stacked: drawn to scale, with gaps where nothing is known.

import { useState } from 'react'
import type { Counts } from '../api/records'
import { number } from '../words/amounts'
import { said, t } from '../words/speak'
import { absolute, clock } from '../words/times'
import { sessionStates, toneOf } from './pill'
import css from './stacked.module.css'

interface Point {
  at: string
  by_status: Counts
}

const width = 720
const height = 150

export function Stacked({ points, label }: { points: Point[]; label: string }) {
  const [at, setAt] = useState<number | null>(null)
  const totals = points.map((point) => sessionStates.reduce((sum, state) => sum + (point.by_status[state] ?? 0), 0))
  const most = niceAbove(Math.max(1, ...totals))
  const start = Date.parse(points[0]?.at ?? '')
  const end = Date.parse(points.at(-1)?.at ?? '')
  const x = (time: string) => (end > start ? ((Date.parse(time) - start) / (end - start)) * width : 0)
  const y = (value: number) => height - (value / most) * height
  const bands = sessionStates.map((state, band) => {
    const below = (point: Point) => sessionStates.slice(0, band).reduce((sum, other) => sum + (point.by_status[other] ?? 0), 0)
    const upper = points.map((point) => `${x(point.at).toFixed(1)} ${y(below(point) + (point.by_status[state] ?? 0)).toFixed(1)}`)
    const lower = points.map((point) => `${x(point.at).toFixed(1)} ${y(below(point)).toFixed(1)}`).reverse()
    return { state, d: `M${upper.join('L')}L${lower.join('L')}Z`, any: points.some((point) => (point.by_status[state] ?? 0) > 0) }
  })
  const shown = at === null ? points.at(-1) : points[at]
  const hours = hoursBetween(start, end)
  return (
    <figure className={css.chart}>
      <div className={css.plot}>
        <span className={css.most}>{number(most)}</span>
        <svg
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={label}
          onPointerMove={(event) => {
            const box = event.currentTarget.getBoundingClientRect()
            const time = start + ((event.clientX - box.left) / box.width) * (end - start)
            setAt(nearest(points, time))
          }}
          onPointerLeave={() => setAt(null)}
        >
          <path d={`M0 .5H${width}M0 ${height / 2}H${width}M0 ${height - 0.5}H${width}`} className={css.rule} />
          {bands
            .filter((band) => band.any)
            .map((band) => (
              <path key={band.state} d={band.d} data-tone={toneOf(band.state)} className={css.band} />
            ))}
          {at !== null && points[at] && <path d={`M${x(points[at].at)} 0V${height}`} className={css.cross} />}
        </svg>
        <div className={css.hours} aria-hidden>
          {hours.map((hour) => (
            <span key={hour} style={{ insetInlineStart: `${((hour - start) / (end - start)) * 100}%` }}>
              {clock(hour, hour)}
            </span>
          ))}
        </div>
      </div>
      <figcaption className={css.key}>
        {shown && (
          <span className={css.when} data-tip={absolute(Date.parse(shown.at))}>
            {at === null ? t('time.present') : clock(Date.parse(shown.at), end)}
          </span>
        )}
        {bands
          .filter((band) => band.any)
          .map(({ state }) => (
            <span key={state} data-tone={toneOf(state)}>
              <i aria-hidden />
              {said(`status.${state}`)} <b>{number(shown?.by_status[state] ?? 0)}</b>
            </span>
          ))}
      </figcaption>
    </figure>
  )
}

/** The nearest round number that is not below. */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power
}

function nearest(points: Point[], time: number): number {
  let best = 0
  for (let at = 1; at < points.length; at += 1) {
    const off = (point: Point | undefined) => Math.abs(Date.parse(point?.at ?? '') - time)
    if (off(points[at]) < off(points[best])) best = at
  }
  return best
}

/** Full hours worth a label: every fourth, on the local clock. */
function hoursBetween(start: number, end: number): number[] {
  const hour = 3_600_000
  const every = end - start > 8 * hour ? 4 * hour : hour
  const zone = new Date(start).getTimezoneOffset() * 60_000
  const first = Math.ceil((start - zone) / every) * every + zone
  const hours: number[] = []
  for (let at = first; at <= end; at += every) if (at - start > (end - start) * 0.02 && end - at > (end - start) * 0.02) hours.push(at)
  return hours
}
