import type { Icon } from '@tabler/icons-react'
import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react'
import css from './button.module.css'

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon?: Icon
  /** `main` is the one thing to do here; `danger` cannot be undone. */
  look?: 'plain' | 'main' | 'danger' | 'quiet'
  busy?: boolean
  children?: ReactNode
  ref?: Ref<HTMLButtonElement>
}

/** A button; with an icon alone it needs an `aria-label`. */
export function Button({ icon: Mark, look = 'plain', busy = false, children, disabled, ...rest }: Props) {
  return (
    <button
      type="button"
      className={css.button}
      data-look={look}
      data-icon-only={children === undefined || undefined}
      aria-busy={busy || undefined}
      disabled={disabled || busy}
      data-tip={children === undefined ? rest['aria-label'] : undefined}
      {...rest}
    >
      {Mark && <Mark size={15} stroke={1.9} aria-hidden />}
      {children}
    </button>
  )
}

/** Buttons side by side; they wrap. */
export function Buttons({ children }: { children: ReactNode }) {
  return <div className={css.row}>{children}</div>
}
