// The page a customer links a phone on. It says who asks and what linking grants before anything happens.

import './pair.css'

import type { PairPeek, PairState } from '../api/records'
import { qrPath } from '../pieces/qr_path'
import { duration } from '../words/amounts'
import { from, has, languages, preferred, said, speak, spoken, type Files, type Language } from '../words/speak'
import type en from '../words/pair/en.json'
import * as calls from './calls'
import { h, picture } from './draw'

type View =
  | { is: 'loading' }
  | { is: 'asked'; peek: PairPeek }
  | { is: 'report'; peek: PairPeek }
  | { is: 'reported' }
  | { is: 'dead'; why: 'expired' | 'used' | 'unknown' }
  | { is: 'pairing'; state: PairState; code: { code: string; expires_at: string } | null }
  | { is: 'failed'; reason: string | null }
  | { is: 'done' }

const kept = 'columba.pair'
const page = document.getElementById('page') as HTMLElement
const token = take()

let view: View = { is: 'loading' }
let trouble: string | null = null
let pass: string | null = sessionStorage.getItem(`${kept}.pass`)
let typed = ''
let busy = false
let drawn = ''

const t = (key: keyof typeof en, values?: Record<string, string | number>) => said(key, values)

/** The token stands behind the `#`, which no server sees. It survives a reload, and leaves the address. */
function take(): string {
  const given = window.location.hash.slice(1)
  if (given) {
    sessionStorage.setItem(kept, given)
    sessionStorage.removeItem(`${kept}.pass`)
    window.history.replaceState(null, '', window.location.pathname)
  }
  return given || (sessionStorage.getItem(kept) ?? '')
}

function show(next: View): void {
  view = next
  trouble = null
  draw()
}

async function attempt(act: () => Promise<void>): Promise<void> {
  if (busy) return
  busy = true
  draw()
  try {
    await act()
    trouble = null
  } catch (error) {
    const refused = error instanceof calls.Refused ? error : new calls.Refused(-1, '')
    if (refused.status === 404 || refused.status === 410) view = { is: 'dead', why: 'unknown' }
    else trouble = refused.status === 0 ? t('away') : t('error', { detail: refused.message })
  } finally {
    busy = false
    draw()
  }
}

async function begin(): Promise<void> {
  if (pass) return watch()
  if (!token) return show({ is: 'dead', why: 'unknown' })
  await attempt(async () => {
    const peek = await calls.peek(token)
    show(peek.state === 'open' ? { is: 'asked', peek } : { is: 'dead', why: peek.state })
  })
}

async function confirm(): Promise<void> {
  await attempt(async () => {
    pass = (await calls.confirm(token)).pass
    sessionStorage.setItem(`${kept}.pass`, pass)
  })
  if (pass) await watch()
}

/** Asks how it stands every two seconds, until it is over. */
async function watch(): Promise<void> {
  if (!pass) return
  try {
    const state = await calls.state(pass)
    trouble = null
    const code = view.is === 'pairing' ? view.code : null
    if (state.step === 'connected') return end({ is: 'done' })
    if (state.step === 'failed') {
      return end({ is: 'failed', reason: state.reason })
    }
    view = { is: 'pairing', state, code: code && Date.parse(code.expires_at) > Date.now() ? code : null }
  } catch (error) {
    const status = error instanceof calls.Refused ? error.status : -1
    if (status === 401 || status === 404 || status === 410) return end({ is: 'dead', why: 'used' })
    trouble = t('away')
  }
  draw()
  setTimeout(() => void watch(), 2_000)
}

function end(last: View): void {
  pass = null
  sessionStorage.removeItem(`${kept}.pass`)
  sessionStorage.removeItem(kept)
  show(last)
}

function draw(): void {
  // What somebody types into must not be replaced under their fingers.
  const now = JSON.stringify([view, trouble, busy, spoken()])
  if (now === drawn) return
  drawn = now
  document.title = t('title')
  const focus = document.activeElement?.id
  page.replaceChildren(
    h('header', {}, h('img', { src: '/ui/mark.svg', alt: '', width: '26', height: '26' }), h('span', {}, 'Columba'), tongues()),
    h('section', {}, ...body()),
    h('footer', {}, t('not_ours')),
  )
  if (focus) document.getElementById(focus)?.focus()
}

function body(): (Node | string)[] {
  const worry = trouble ? [h('p', { class: 'trouble', role: 'alert' }, trouble)] : []
  switch (view.is) {
    case 'loading':
      return trouble ? [...worry, button(t('again'), () => void begin())] : [h('p', { class: 'dim' }, t('loading'))]
    case 'asked':
      return [...asked(view.peek), ...worry]
    case 'report':
      return [...reporting(view.peek), ...worry]
    case 'reported':
      return [h('p', {}, t('report.done'))]
    case 'dead':
      return [h('h1', {}, t('dead')), h('p', {}, t(`dead.${view.why}`))]
    case 'pairing':
      return [...pairing(view.state, view.code), ...worry]
    case 'failed':
      return [h('h1', {}, t('failed')), h('p', {}, has(`failed.${view.reason}`) ? said(`failed.${view.reason}`) : t('failed.other'))]
    case 'done':
      return [h('h1', { class: 'good' }, t('done')), h('p', {}, t('done.what'))]
  }
}

function asked(peek: PairPeek): (Node | string)[] {
  const { tenant, session } = peek
  return [
    h('h1', {}, t('asks', { tenant })),
    h('p', { class: 'dim' }, t('for', { session })),
    h('p', {}, t('grants', { tenant })),
    h('ul', {}, h('li', {}, t('grants.1')), h('li', {}, t('grants.2')), h('li', {}, t('grants.3'))),
    h('p', {}, t('unlink')),
    h('p', { class: 'warning' }, peek.warning ?? t('warning')),
    h('p', {}, h('strong', {}, t('only_if', { tenant }))),
    button(t('go'), () => void confirm(), 'main'),
    button(t('report'), () => show({ is: 'report', peek }), 'quiet'),
    h('p', { class: 'dim small' }, t('expires', { time: duration(Math.max(0, Date.parse(peek.expires_at) - Date.now())) })),
  ]
}

function reporting(peek: PairPeek): (Node | string)[] {
  const text = h('textarea', { id: 'report', rows: '4', maxlength: '500', 'aria-label': t('report.what') })
  return [
    h('h1', {}, t('report.title')),
    h('p', {}, t('report.what')),
    text,
    button(
      t('report.act'),
      () =>
        void attempt(async () => {
          await calls.report(token, text.value.trim())
          end({ is: 'reported' })
        }),
      'danger',
    ),
    button(t('report.back'), () => show({ is: 'asked', peek }), 'quiet'),
  ]
}

function pairing(state: PairState, code: { code: string; expires_at: string } | null): (Node | string)[] {
  const order = ['waiting', 'scanned', 'syncing', 'connected'] as const
  const reached = state.step === 'failed' ? 0 : order.indexOf(state.step)
  const steps = h(
    'ol',
    { class: 'steps' },
    ...order.map((step, at) =>
      h('li', { ...(at <= reached && { 'data-lit': '' }), ...(at === reached && { 'aria-current': 'step' }) }, t(`step.${step}`)),
    ),
  )
  if (reached > 0) return [steps, h('p', {}, t('syncing'))]
  return [steps, h('div', { class: 'ways' }, scan(state), number(code))]
}

function scan(state: PairState): HTMLElement {
  const { qr } = state
  if (!qr) return h('div', { class: 'scan' }, h('p', { class: 'dim' }, t('scan.wait')))
  const { size, path } = qrPath(qr.code)
  const left = duration(Math.max(0, Date.parse(qr.expires_at) - Date.now()))
  return h(
    'div',
    { class: 'scan' },
    h('h2', {}, t('scan')),
    h('div', { class: 'qr' }, picture(size, path, t('scan.label'))),
    h(
      'p',
      { class: 'dim small' },
      qr.of === null
        ? t('scan.holds_open', { time: left, attempt: qr.attempt })
        : t('scan.holds', { time: left, attempt: qr.attempt, of: qr.of }),
    ),
    h('p', { class: 'dim' }, t('scan.how')),
  )
}

/** On the phone itself there is nothing to point a camera at. */
function number(code: { code: string; expires_at: string } | null): HTMLElement {
  if (code) {
    const copied = button(
      t('phone.copy'),
      () => void navigator.clipboard?.writeText(code.code).then(() => (copied.textContent = t('phone.copied'))),
    )
    return h(
      'div',
      { class: 'number' },
      h('p', {}, t('phone.how')),
      h('p', { class: 'code', dir: 'ltr' }, code.code),
      copied,
      button(t('phone.other'), () => view.is === 'pairing' && show({ ...view, code: null }), 'quiet'),
    )
  }
  const input = h('input', {
    id: 'phone',
    type: 'tel',
    dir: 'ltr',
    autocomplete: 'tel',
    placeholder: '+15551230001',
    required: true,
    value: typed,
    input: (event) => (typed = (event.target as HTMLInputElement).value),
  })
  return h(
    'form',
    {
      class: 'number',
      submit: (event) => {
        event.preventDefault()
        void attempt(async () => {
          if (!pass || view.is !== 'pairing') return
          view = { ...view, code: await calls.code(pass, typed.replaceAll(/[\s()-]/g, '')) }
        })
      },
    },
    h('h2', {}, t('same')),
    h('p', { class: 'dim' }, t('same.what')),
    h('label', { for: 'phone' }, t('phone')),
    input,
    h('button', { type: 'submit', disabled: busy }, t('phone.act')),
  )
}

function button(text: string, act: () => void, look = 'plain'): HTMLButtonElement {
  return h('button', { type: 'button', 'data-look': look, disabled: busy, click: act }, text)
}

function tongues(): HTMLElement {
  const select = h(
    'select',
    { 'aria-label': t('language'), change: (event) => void speak((event.target as HTMLSelectElement).value as Language, true).then(draw) },
    ...(Object.entries(languages) as [Language, (typeof languages)[Language]][]).map(([code, { name, machine }]) =>
      h('option', { value: code, selected: code === spoken() }, machine ? `${name} (${t('machine')})` : name),
    ),
  )
  return select
}

from(import.meta.glob('../words/pair/*.json') as Files)
void speak(preferred()).then(begin)
