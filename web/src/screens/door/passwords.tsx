import { PasswordInput } from '../../pieces/fields'
import { t } from '../../words/speak'

/** The shortest password the server takes. */
export const shortest = 12

/** A new password, which the browser may propose. */
export function NewPassword({
  value,
  onChange,
  error,
  label = t('door.password'),
}: {
  value: string
  onChange: (value: string) => void
  error: string | undefined
  label?: string
}) {
  return (
    <PasswordInput
      label={label}
      description={t('door.password.rule', { count: shortest })}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      autoComplete="new-password"
      minLength={shortest}
      error={error}
      required
    />
  )
}
