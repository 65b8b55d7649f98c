import { absolute, left, relative } from '../words/times'
import { useNow } from './now'

/** When something was: relative, and absolute in both zones on hover. */
export function Since({ at }: { at: string | null | undefined }) {
  // What is near is told by the second.
  const near = at ? Math.abs(Date.parse(at) - Date.now()) < 90_000 : false
  const now = useNow(near ? 1_000 : 10_000)
  if (!at) return <span className="dim">–</span>
  const ms = Date.parse(at)
  return (
    <time dateTime={at} data-tip={absolute(ms)}>
      {relative(ms, now)}
    </time>
  )
}

/** What is left until then, running down. */
export function Left({ until }: { until: string }) {
  const now = useNow()
  const ms = Date.parse(until)
  return (
    <time dateTime={until} data-tip={absolute(ms)}>
      {left(ms, now)}
    </time>
  )
}
