import { t } from '../../words/speak'
import { differ } from './differ'
import css from './difference.module.css'

/** What an act changed, field by field; what stayed is left out. */
export function Difference({ before, after }: { before: unknown; after: unknown }) {
  const changes = differ(before, after)
  if (changes.length === 0) return <p className="dim">{t('audit.same')}</p>
  return (
    <dl className={css.list} dir="ltr">
      {changes.map((change) => (
        <div key={change.field}>
          <dt>{change.field}</dt>
          {change.before !== undefined && (
            <dd data-was>
              <span className="unseen">{t('audit.before')}</span>
              <del>{change.before}</del>
            </dd>
          )}
          {change.after !== undefined && (
            <dd data-is>
              <span className="unseen">{t('audit.after')}</span>
              <ins>{change.after}</ins>
            </dd>
          )}
        </div>
      ))}
    </dl>
  )
}
