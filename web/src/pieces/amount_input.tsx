import { digitsOf, money } from '../words/amounts'
import { t } from '../words/speak'
import { NumberInput } from './fields'

/** The most that anybody may be asked for or given, in the minor unit. */
const largest = 1_000_000_000_000

/** Whether an amount can be sent: a whole number of the minor unit, at least one of it. */
export function isAmount(minor: number | null, most = largest): minor is number {
  return minor !== null && Number.isSafeInteger(minor) && minor >= 1 && minor <= most
}

/** An amount of money, written as people write it and kept in the currency's minor unit. Of no use is `null`. */
export function AmountInput({
  label,
  description,
  currency,
  minor,
  onChange,
  least = 1,
  most = largest,
  error,
  autoFocus = false,
}: {
  label: string
  description?: string
  currency: string
  minor: number | null
  onChange: (minor: number | null) => void
  least?: number
  most?: number
  error: string | undefined
  autoFocus?: boolean
}) {
  const digits = digitsOf(currency)
  const beyond = minor !== null && minor > most ? t('amount.most', { most: money(most, currency) }) : undefined
  const short = minor !== null && minor < least ? t('amount.least', { least: money(least, currency) }) : undefined
  return (
    <NumberInput
      label={label}
      description={description}
      value={minor === null ? '' : minor / 10 ** digits}
      onChange={(value) => onChange(value === '' || value === '-' ? null : Math.round(Number(value) * 10 ** digits))}
      error={beyond ?? short ?? error}
      decimalScale={digits}
      allowedDecimalSeparators={['.', ',']}
      allowNegative={false}
      rightSection={<span className="small dim">{currency}</span>}
      rightSectionWidth={48}
      hideControls
      required
      autoFocus={autoFocus}
    />
  )
}
