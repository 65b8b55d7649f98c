import { useState } from 'react'
import { Checkbox } from '../../pieces/fields'
import { said, t } from '../../words/speak'
import { all, covers, families, pressed, type Pattern } from './events'
import css from './webhooks.module.css'

/** Which events an endpoint is told of. Their names are the API's: they stand so in the requests. */
export function EventChoice({
  patterns,
  onChange,
  error,
}: {
  patterns: Pattern[]
  onChange: (patterns: Pattern[]) => void
  error: string | undefined
}) {
  const press = (wanted: Pattern) => onChange(pressed(patterns, wanted))
  const fault = error ?? (patterns.length === 0 ? t('webhooks.events.least') : undefined)
  return (
    <fieldset className={css.events}>
      <legend>{t('webhooks.events')}</legend>
      <Checkbox checked={patterns.includes(all)} onChange={() => press(all)} label={t('webhooks.events.all')} />
      {families.map(({ family, events }) => (
        <Family key={family} family={family} events={events} patterns={patterns} press={press} />
      ))}
      {fault && (
        <p className={css.fault} role="alert">
          {fault}
        </p>
      )}
    </fieldset>
  )
}

function Family({
  family,
  events,
  patterns,
  press,
}: {
  family: Pattern
  events: Pattern[]
  patterns: Pattern[]
  press: (wanted: Pattern) => void
}) {
  const whole = covers(patterns, family)
  const some = !whole && events.some((event) => covers(patterns, event))
  // As it begins; from then on whoever opens and closes it decides.
  const [opened] = useState(some)
  const word = said(`webhooks.family.${family.split('.')[0]}`)
  return (
    <div className={css.family}>
      <Checkbox checked={whole} indeterminate={some} onChange={() => press(family)} label={word} />
      {events.length > 1 && (
        <details open={opened}>
          <summary aria-label={t('webhooks.events.each.of', { family: word })}>{t('webhooks.events.each')}</summary>
          <div className={css.each}>
            {events.map((event) => (
              <Checkbox
                key={event}
                checked={covers(patterns, event)}
                onChange={() => press(event)}
                label={<code dir="ltr">{event}</code>}
              />
            ))}
          </div>
        </details>
      )}
    </div>
  )
}
