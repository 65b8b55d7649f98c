// What stands around every screen: the rail, one row of header, and what opens over them.

import { IconLayoutSidebar, IconMenu2, IconSearch } from '@tabler/icons-react'
import { Link, Outlet, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useEffectEvent, useState } from 'react'
import square from '../pieces/square.module.css'
import { TipLayer } from '../pieces/tip'
import { ToastLayer } from '../pieces/toast'
import { t } from '../words/speak'
import { Account } from './account'
import { Dot } from './dot'
import css from './frame.module.css'
import { Keys } from './keys'
import { LookBanner } from './look_banner'
import { useTrail } from './place'
import { Rail } from './rail'
import { screens } from './screens'

// Only who asks for them waits for them.
const Palette = lazy(() => import('./palette'))
const Sheet = lazy(() => import('./sheet'))
const StepUpLayer = lazy(() => import('./step_up'))
const ConfirmLayer = lazy(() => import('../pieces/confirm').then(({ ConfirmLayer }) => ({ default: ConfirmLayer })))

const kept = 'columba.rail'

export function Frame() {
  const [over, setOver] = useState<'palette' | 'sheet' | null>(null)
  const [narrow, setNarrow] = useState(() => (localStorage.getItem(kept) ?? (window.innerWidth < 1180 ? 'narrow' : 'wide')) === 'narrow')
  const [drawn, setDrawn] = useState(false)
  const navigate = useNavigate()
  const toggle = () => {
    localStorage.setItem(kept, narrow ? 'wide' : 'narrow')
    setNarrow(!narrow)
  }
  const pressed = useEffectEvent((keys: Keys, event: KeyboardEvent) => {
    const inField = event.target instanceof HTMLElement && event.target.closest('input, textarea, select, [contenteditable]') !== null
    const asked = document.querySelector('dialog[open]') !== null
    const told = keys.press({
      key: event.key,
      command: event.metaKey || event.ctrlKey,
      typing: inField || asked || event.altKey,
      at: event.timeStamp,
    })
    if (!told) return
    const target = told.do === 'go' ? screens.find((screen) => screen.key === told.key) : undefined
    if (told.do === 'go' && !target) return
    event.preventDefault()
    if (target) void navigate({ to: target.to })
    else if (told.do === 'palette' || told.do === 'sheet') setOver(told.do)
    else toggle()
  })
  useEffect(() => {
    const keys = new Keys()
    const listen = (event: KeyboardEvent) => pressed(keys, event)
    document.addEventListener('keydown', listen)
    return () => document.removeEventListener('keydown', listen)
  }, [])

  return (
    <div className={css.frame} data-rail={narrow ? 'narrow' : 'wide'}>
      <a href="#content" className={css.skip}>
        {t('frame.skip')}
      </a>
      <Rail narrow={narrow} drawn={drawn} onClose={() => setDrawn(false)} />
      <div className={css.main}>
        <header className={css.header}>
          <button
            type="button"
            className={`${square.button} ${css.burger}`}
            aria-label={t('rail.open')}
            aria-expanded={drawn}
            onClick={() => setDrawn(true)}
          >
            <IconMenu2 size={19} aria-hidden />
          </button>
          <button
            type="button"
            className={`${square.button} ${css.fold}`}
            aria-label={t('rail.fold')}
            data-tip={`${t('rail.fold')}  [`}
            onClick={toggle}
          >
            <IconLayoutSidebar size={17} stroke={1.6} aria-hidden />
          </button>
          <Trail />
          <button type="button" className={css.search} onClick={() => setOver('palette')}>
            <IconSearch size={15} aria-hidden />
            <span>{t('palette.open')}</span>
            <kbd aria-hidden>{navigator.platform.startsWith('Mac') ? '⌘K' : 'Ctrl K'}</kbd>
          </button>
          <Environment />
          <Dot />
          <Account />
        </header>
        <LookBanner />
        <main id="content" className={css.content} tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      <Suspense>
        {over === 'palette' && <Palette onClose={() => setOver(null)} onSheet={() => setOver('sheet')} />}
        {over === 'sheet' && <Sheet onClose={() => setOver(null)} />}
        <StepUpLayer />
        <ConfirmLayer />
      </Suspense>
      <TipLayer />
      <ToastLayer />
    </div>
  )
}

function Trail() {
  const trail = useTrail()
  return (
    <nav className={css.trail} aria-label={t('frame.trail')}>
      {trail.map((crumb, at) => (
        <span key={crumb.label + at} aria-current={at === trail.length - 1 ? 'page' : undefined}>
          <bdi>{crumb.to ? <Link {...crumb.to}>{crumb.label}</Link> : crumb.label}</bdi>
        </span>
      ))}
    </nav>
  )
}

/** Which installation this is: people have several of them open. */
function Environment() {
  const { hostname } = window.location
  const local = hostname === 'localhost' || hostname === '::1' || /^127\./.test(hostname)
  return (
    <span className={css.environment} data-local={local || undefined} data-tip={window.location.host}>
      {local ? t('frame.local') : hostname}
    </span>
  )
}
