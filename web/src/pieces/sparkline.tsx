/** The course of a number, without axes. Where it is not known the line has a gap. */
export function Sparkline({ values, width = 72, height = 24 }: { values: (number | null)[]; width?: number; height?: number }) {
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden fill="none">
      {lineOf(values, width, height).map((d) => (
        <path key={d} d={d} stroke="currentColor" strokeWidth={1.25} strokeLinejoin="round" strokeLinecap="round" />
      ))}
    </svg>
  )
}

/** One path for each stretch without a gap. */
export function lineOf(values: (number | null)[], width: number, height: number): string[] {
  const most = Math.max(1, ...values.map((value) => value ?? 0))
  const step = values.length > 1 ? (width - 2) / (values.length - 1) : 0
  const paths: string[] = []
  let path = ''
  values.forEach((value, at) => {
    if (value === null) {
      if (path) paths.push(path)
      path = ''
      return
    }
    const x = (1 + at * step).toFixed(1)
    const y = (height - 2 - (value / most) * (height - 4)).toFixed(1)
    path += `${path ? 'L' : 'M'}${x} ${y}`
  })
  if (path) paths.push(path)
  return paths
}
