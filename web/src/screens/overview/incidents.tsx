import { Link } from '@tanstack/react-router'
import type { Incident } from '../../api/records'
import { Since } from '../../pieces/since'
import { has, said, t } from '../../words/speak'
import css from './overview.module.css'

/** What is wrong, in plain words, newest first. */
export function Incidents({ incidents }: { incidents: Incident[] }) {
  if (incidents.length === 0) return <p className={css.calm}>{t('overview.calm')}</p>
  return (
    <ul className={css.incidents}>
      {incidents.map((incident) => (
        <li key={`${incident.kind} ${incident.at} ${incident.session ?? incident.tenant ?? ''}`}>
          <span className={css.mark} aria-hidden />
          <div>
            <p dir="auto">
              <Text incident={incident} />
            </p>
            <p className="small dim" dir="auto">
              {incident.next}
            </p>
          </div>
          <span className="small dim">
            <Since at={incident.since ?? incident.at} />
          </span>
        </li>
      ))}
    </ul>
  )
}

/** The server's sentence, or ours where there is one for its kind; it leads to what it is about. */
function Text({ incident }: { incident: Incident }) {
  const key = `incident.${incident.kind}_other`
  const text = has(key) ? said(`incident.${incident.kind}`, { count: incident.count }) : incident.text
  if (incident.session) {
    return (
      <Link to="/sessions/$session" params={{ session: incident.session }}>
        {text}
      </Link>
    )
  }
  if (incident.tenant) {
    return (
      <Link to="/tenants/$tenant" params={{ tenant: incident.tenant }}>
        {text}
      </Link>
    )
  }
  return <strong>{text}</strong>
}
