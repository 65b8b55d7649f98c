import css from './skeleton.module.css'

/** A line of what will stand here. */
export function Bone({ width = '100%', height = 14 }: { width?: string; height?: number }) {
  return <span className={css.bone} style={{ width, height }} aria-hidden />
}

/** The final shape of a block of `lines` before its content is here. */
export function Skeleton({ lines = 4, height }: { lines?: number; height?: number }) {
  return (
    <div className={css.block} aria-busy="true" style={height === undefined ? undefined : { minHeight: height }}>
      {Array.from({ length: lines }, (_, at) => (
        <Bone key={at} width={`${92 - ((at * 37) % 45)}%`} />
      ))}
    </div>
  )
}
