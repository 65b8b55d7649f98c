import { IconPlayerPlay, IconPlayerStop, IconRefresh } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { api } from '../../api/client'
import { may, me } from '../../api/door'
import { onBehalf } from '../../api/look'
import type { FleetSession } from '../../api/records'
import { Button } from '../../pieces/button'
import { confirm } from '../../pieces/confirm'
import { toast } from '../../pieces/toast'
import { t } from '../../words/speak'
import css from './bulk.module.css'

type Verb = 'start' | 'stop' | 'restart'

/** What can be done to the chosen ones. It says whom it will reach before it does. */
export function Bulk({ sessions, onDone }: { sessions: FleetSession[]; onDone: () => void }) {
  const { data } = useQuery(me)
  const queries = useQueryClient()
  const tenants = [...new Set(sessions.map((one) => one.tenant_name ?? one.tenant))]
  const connected = sessions.filter((one) => one.status === 'connected').length
  const queued = sessions.reduce((sum, one) => sum + one.queued, 0)

  const ask = (verb: Verb) =>
    confirm({
      title: t(`bulk.${verb}.title`, { count: sessions.length }),
      reach: (
        <ul>
          <li>{t('bulk.tenants', { count: tenants.length, names: nameSome(tenants) })}</li>
          {verb !== 'start' && <li>{t('bulk.connected', { count: connected })}</li>}
          {queued > 0 && <li>{t('bulk.queued', { count: queued })}</li>}
        </ul>
      ),
      act: t(`bulk.${verb}.act`, { count: sessions.length }),
      danger: verb === 'stop',
      // Stopping half a fleet is a thing to be sure of.
      ...(verb !== 'start' && sessions.length >= 20 && { typed: String(sessions.length) }),
      run: async () => {
        const refused = await runAll(sessions, verb)
        await queries.invalidateQueries({ queryKey: ['sessions'] })
        toast(
          refused === 0
            ? { text: t('bulk.done', { count: sessions.length }) }
            : { text: t('bulk.refused', { count: refused }), tone: 'red' },
        )
        onDone()
      },
    })

  return (
    <div className={css.bulk} role="toolbar" aria-label={t('bulk.label')}>
      <strong>{t('bulk.chosen', { count: sessions.length })}</strong>
      {may(data?.operator.role, 'support') ? (
        <>
          <Button icon={IconPlayerPlay} onClick={() => ask('start')}>
            {t('session.start')}
          </Button>
          <Button icon={IconRefresh} onClick={() => ask('restart')}>
            {t('session.restart')}
          </Button>
          <Button icon={IconPlayerStop} look="danger" onClick={() => ask('stop')}>
            {t('session.stop')}
          </Button>
        </>
      ) : (
        <span className="dim">{t('role.reads_only')}</span>
      )}
      <Button look="quiet" onClick={onDone}>
        {t('bulk.none')}
      </Button>
    </div>
  )
}

function nameSome(names: string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} …`
}

/** Four at a time, so that a browser's connections stay free for what is live. Answers how many were refused. */
async function runAll(sessions: FleetSession[], verb: Verb): Promise<number> {
  const waiting = [...sessions]
  let refused = 0
  const worker = async () => {
    for (let one = waiting.pop(); one; one = waiting.pop()) {
      const call = { params: { path: { id: one.id } }, headers: onBehalf(one.tenant) }
      const paths = { start: '/v1/sessions/{id}/start', stop: '/v1/sessions/{id}/stop', restart: '/v1/sessions/{id}/restart' } as const
      await api.POST(paths[verb], call).catch(() => (refused += 1))
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return refused
}
