// Go anywhere, find anybody: screens and deeds from here, tenants and sessions from the server, and any id that is pasted.

import {
  IconArrowRight,
  IconBookmark,
  IconBuildingStore,
  IconDeviceMobile,
  IconHash,
  IconKeyboard,
  IconLogout,
  IconMoon,
  IconSun,
  type Icon,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, type LinkProps } from '@tanstack/react-router'
import { useDeferredValue, useEffect, useId, useRef, useState } from 'react'
import { api, got } from '../api/client'
import { Dialog } from '../pieces/dialog'
import { StatePill } from '../pieces/pill'
import { lists, titles, useViews, type View } from '../pieces/views'
import { choose, shown } from '../theme/scheme'
import { t } from '../words/speak'
import css from './palette.module.css'
import { placeOf } from './ids'
import { screens } from './screens'
import { signOut } from './sign_out'

interface Entry {
  key: string
  group: string
  label: string
  note?: React.ReactNode
  icon: Icon
  run: () => void
}

export default function Palette({ onClose, onSheet }: { onClose: () => void; onSheet: () => void }) {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const list = useRef<HTMLDivElement>(null)
  const navigate = useNavigate()
  const id = useId()
  const go = (to: LinkProps) => () => {
    onClose()
    void navigate(to as never)
  }
  const entries = [...useFound(text, go), ...own(text, useViews(), go, onClose, onSheet)]
  const chosen = Math.min(at, entries.length - 1)
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' })
  }, [chosen])

  return (
    <Dialog title={t('palette.open')} onClose={onClose} bare>
      <div className={css.palette}>
        <input
          role="combobox"
          aria-expanded
          aria-controls={id}
          aria-activedescendant={entries[chosen] && `${id}-${chosen}`}
          aria-label={t('palette.open')}
          placeholder={t('palette.hint')}
          value={text}
          autoFocus
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => {
            setText(event.currentTarget.value)
            setAt(0)
          }}
          onKeyDown={(event) => {
            if (event.key === 'ArrowDown') setAt(Math.min(chosen + 1, entries.length - 1))
            else if (event.key === 'ArrowUp') setAt(Math.max(chosen - 1, 0))
            else if (event.key === 'Enter') entries[chosen]?.run()
            else return
            event.preventDefault()
          }}
        />
        <div ref={list} id={id} role="listbox" aria-label={t('palette.open')} className={css.list} data-scrolls>
          {entries.map((entry, place) => (
            <div key={entry.key} role="presentation">
              {entry.group !== entries[place - 1]?.group && <div className={css.group}>{entry.group}</div>}
              <div
                id={`${id}-${place}`}
                role="option"
                aria-selected={place === chosen}
                className={css.entry}
                onPointerMove={() => setAt(place)}
                onClick={entry.run}
              >
                <entry.icon size={16} stroke={1.6} aria-hidden />
                <span>{entry.label}</span>
                {entry.note}
              </div>
            </div>
          ))}
          {entries.length === 0 && <p className={css.none}>{t('palette.none')}</p>}
        </div>
      </div>
    </Dialog>
  )
}

function own(text: string, views: View[], go: (to: LinkProps) => () => void, onClose: () => void, onSheet: () => void): Entry[] {
  const wanted = text.trim().toLowerCase()
  const dark = shown() === 'dark'
  const entries: Entry[] = [
    ...screens.map((screen) => ({
      key: screen.to,
      group: t('palette.screens'),
      label: t(screen.label),
      note: (
        <span className={css.keys}>
          <kbd>g</kbd> <kbd>{screen.key}</kbd>
        </span>
      ),
      icon: screen.icon,
      run: go({ to: screen.to } as LinkProps),
    })),
    ...views.map((view) => ({
      key: `view ${view.list} ${view.name}`,
      group: t('views.title'),
      label: view.name,
      note: <span className="small dim">{t(titles[view.list])}</span>,
      icon: IconBookmark,
      run: go({ to: lists[view.list], search: view.search } as LinkProps),
    })),
    { key: 'me', group: t('palette.deeds'), label: t('account.title'), icon: IconArrowRight, run: go({ to: '/me' } as LinkProps) },
    {
      key: 'scheme',
      group: t('palette.deeds'),
      label: dark ? t('palette.light') : t('palette.dark'),
      icon: dark ? IconSun : IconMoon,
      run: () => {
        choose(dark ? 'light' : 'dark')
        onClose()
      },
    },
    {
      key: 'sheet',
      group: t('palette.deeds'),
      label: t('sheet.title'),
      note: (
        <span className={css.keys}>
          <kbd>?</kbd>
        </span>
      ),
      icon: IconKeyboard,
      run: onSheet,
    },
    { key: 'out', group: t('palette.deeds'), label: t('account.out'), icon: IconLogout, run: () => void signOut() },
  ]
  return entries.filter((entry) => entry.label.toLowerCase().includes(wanted))
}

/** What the server knows by that name, or the place of an id. */
function useFound(text: string, go: (to: LinkProps) => () => void): Entry[] {
  const q = useDeferredValue(text.trim())
  const place = placeOf(q)
  const wanted = q.length >= 2 && !place
  const sessions = useQuery({
    queryKey: ['palette', 'sessions', q],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/sessions', { params: { query: { q, limit: 6 } }, signal })),
    enabled: wanted,
    staleTime: 15_000,
  })
  const tenants = useQuery({
    queryKey: ['palette', 'tenants', q],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/tenants', { params: { query: { q, limit: 6 } }, signal })),
    enabled: wanted,
    staleTime: 15_000,
  })
  if (place) return [{ key: 'id', group: t('palette.id'), label: q, icon: IconHash, run: go(place) }]
  if (!wanted) return []
  return [
    ...(tenants.data?.data ?? []).map((tenant) => ({
      key: tenant.id,
      group: t('tenants.title'),
      label: tenant.name,
      note: <span className="small dim">{tenant.plan}</span>,
      icon: IconBuildingStore,
      run: go({ to: '/tenants/$tenant', params: { tenant: tenant.id } } as unknown as LinkProps),
    })),
    ...(sessions.data?.data ?? []).map((session) => ({
      key: session.id,
      group: t('sessions.title'),
      label: `${session.label} · ${session.tenant_name}`,
      note: <StatePill status={session.status} />,
      icon: IconDeviceMobile,
      run: go({ to: '/sessions/$session', params: { session: session.id } } as unknown as LinkProps),
    })),
  ]
}
