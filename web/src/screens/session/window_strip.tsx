// The last minute as the rate window really is. Each attempt is a tick as high as the number of attempts that count with it; the cap
// is the ceiling they can touch and never cross; to the right of now it is seen when room comes back.

import { useEffect, useState } from 'react'
import type { RateWindow } from '../../api/records'
import { duration, number } from '../../words/amounts'
import { t } from '../../words/speak'
import { aheadS, scale } from './window_scale'
import css from './window_strip.module.css'

const width = 1000
const height = 132
const calm = window.matchMedia('(prefers-reduced-motion: reduce)')

/** `readAt` is when the browser got it: the difference to the server's clock is taken out. */
export function WindowStrip({ record, readAt }: { record: RateWindow; readAt: number }) {
  const now = useFrame() + (Date.parse(record.now) - readAt)
  const at = scale(record, now)
  const px = (x: number) => (x * width).toFixed(2)
  const py = (y: number) => (height - y * height).toFixed(2)
  const stairs = at.ticks.map(({ x, y }) => `H${px(x)}V${py(y)}`).join('')
  const fall = at.fall.map(({ x, y }) => `H${px(x)}V${py(y)}`).join('')
  const full = at.room === 0
  const words =
    at.slotMs !== null ? t('window.next', { time: duration(at.slotMs) }) : full ? t('window.full') : t('window.free', { count: at.room })
  return (
    <figure className={css.strip}>
      <figcaption className={css.head}>
        <span className={css.used}>
          {number(at.used)} <small>{t('window.of', { cap: number(record.cap) })}</small>
        </span>
        <span className={css.words} data-full={full || undefined}>
          {words}
        </span>
      </figcaption>
      <div className={css.plot}>
        <svg
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={t('window.picture', { used: number(at.used), cap: number(record.cap) })}
        >
          <rect x={px(at.nowX)} y="0" width={(width * (1 - at.nowX)).toFixed(2)} height={height} className={css.future} />
          {[10, 20, 30, 40, 50].map((s) => (
            <path key={s} d={`M${px((s / 60) * at.nowX)} 0V${height}`} className={css.grid} />
          ))}
          <path d={`M0 ${height}${stairs}H${px(at.nowX)}V${height}Z`} className={css.area} />
          <path d={`M${px(at.nowX)} ${height}${fall}H${width}V${height}Z`} className={css.coming} />
          <path d={at.ticks.map(({ x, y }) => `M${px(x)} ${height}V${py(y)}`).join('')} className={css.tick} />
          <path d={`M0 ${py(at.capY)}H${width}`} className={css.cap} data-full={full || undefined} />
          <path d={`M${px(at.nowX)} 0V${height}`} className={css.now} />
          {at.slotX !== null && <path d={`M${px(at.slotX)} ${py(at.capY)}V${height}`} className={css.slot} />}
          <path d={`M0 ${height - 0.5}H${width}`} className={css.ground} />
        </svg>
        <span className={css.capWord} style={{ top: `${(1 - at.capY) * 100}%` }}>
          {t('window.cap', { cap: number(record.cap) })}
        </span>
        {at.slotX !== null && (
          <span className={css.slotWord} style={{ left: `${at.slotX * 100}%` }} data-before={at.slotX > 0.9 || undefined} aria-hidden>
            {t('window.slot')}
          </span>
        )}
      </div>
      <div className={css.scale} aria-hidden>
        {[60, 50, 40, 30, 20, 10].map((s) => (
          <span key={s} style={{ left: `${((60 - s) / 60) * at.nowX * 100}%` }}>
            −{s} s
          </span>
        ))}
        <span style={{ left: `${at.nowX * 100}%` }} data-now>
          {t('window.now')}
        </span>
        <span style={{ left: '100%' }} data-last>
          +{aheadS} s
        </span>
      </div>
    </figure>
  )
}

/** The time of each frame that is drawn; once a second for those who want no motion. */
function useFrame(): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (calm.matches) {
      const timer = setInterval(() => setNow(Date.now()), 1_000)
      return () => clearInterval(timer)
    }
    let frame = 0
    const draw = () => {
      setNow(Date.now())
      frame = requestAnimationFrame(draw)
    }
    frame = requestAnimationFrame(draw)
    return () => cancelAnimationFrame(frame)
  }, [])
  return now
}
