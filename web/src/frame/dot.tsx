import { useFeed, useFeedState } from '../feed/use_feed'
import { useNow } from '../pieces/now'
import { t } from '../words/speak'
import { left } from '../words/times'
import css from './frame.module.css'

/** Whether what is shown is live: the state of the fleet's feed. */
export function Dot() {
  useFeed(
    'fleet',
    () => {},
    () => {},
  )
  const state = useFeedState('fleet')
  const now = useNow()
  const tone = state.at === 'live' ? 'green' : state.at === 'ended' ? 'red' : 'amber'
  const word =
    state.at === 'live'
      ? t('feed.live')
      : state.at === 'waiting'
        ? t('feed.waiting', { time: left(state.until, now) })
        : state.at === 'ended'
          ? t('feed.ended')
          : t('feed.opening')
  return (
    <span className={css.dot} data-tone={tone} data-tip={word} role="status">
      <i aria-hidden />
      <span className="unseen">{word}</span>
    </span>
  )
}
