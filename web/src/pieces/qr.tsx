import { qrPath } from './qr_path'
import css from './qr.module.css'

/** A code as a picture, with the quiet zone scanners need, black on white in either theme. */
export function Qr({ code, label }: { code: string; label: string }) {
  const { size, path } = qrPath(code)
  return (
    <svg className={css.qr} viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}
