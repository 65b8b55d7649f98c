// Lists of ten thousand, and rows that must not jump. The server's answers are made up here; the page is the real one.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, watched } from './browser.mjs'
import { firstRun } from './people.mjs'
import { start } from './server.mjs'

const total = 10_000
const size = 100

let browser
let server
let storage
before(async () => {
  ;[browser, server] = await Promise.all([launch(), start()])
  const { page, context } = await watched(browser, server.base)
  await firstRun(page, server)
  storage = await context.storageState()
  await context.close()
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

const id = (prefix, number) => `${prefix}_${number.toString(16).padStart(32, '0')}`

function session(number) {
  return {
    id: id('ses', number),
    label: `Desk ${number}`,
    engine: 'sandbox',
    status: 'connected',
    reason: null,
    reason_code: null,
    since: '2026-11-30T12:00:00.000Z',
    created_at: '2026-11-01T12:00:00.000Z',
    restriction: null,
    release: null,
    metadata: {},
    paired: true,
    counters: { queued: 0, sent: 0, received: 0, failed: 0, reconnects: 0 },
    tenant: id('ten', 1),
    tenant_name: 'Acme',
    queued: 0,
    last_activity_at: null,
  }
}

async function madeUp(page) {
  await page.route(/\/v1\/admin\/sessions\?/, (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0)
    const data = Array.from({ length: Math.min(size, total - from) }, (_, at) => session(from + at))
    const next = from + size < total ? String(from + size) : null
    return route.fulfill({ json: { data, next_cursor: next, has_more: next !== null } })
  })
}

test('a list of ten thousand holds at most 200 rows in the document, however far one scrolls', async () => {
  for (const width of [1440, 390]) {
    const { page, context, faults } = await watched(browser, server.base, { width, storage })
    await madeUp(page)
    await page.goto(`${server.base}/ui/sessions`)
    await page.getByRole('link', { name: 'Desk 0', exact: true }).waitFor()
    let most = 0
    for (let loaded = size; loaded < total; loaded += size) {
      await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight))
      const next = loaded + size
      const said = next < total ? `${next.toLocaleString('en')} loaded` : `${total.toLocaleString('en')} in all`
      await page.waitForFunction((text) => document.querySelector('main').textContent.includes(text), said)
      most = Math.max(most, await page.locator('[role="row"]').count())
    }
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight))
    await page.getByRole('link', { name: `Desk ${total - 1}`, exact: true }).waitFor()
    assert.ok(most <= 200, `${most} rows`)
    assert.deepEqual(faults, [])
    await context.close()
  }
})

test('a filter is in the address, survives a reload, and is cleared by one button', async () => {
  const { page, context, faults } = await watched(browser, server.base, { storage })
  await madeUp(page)
  await page.goto(`${server.base}/ui/sessions`)
  await page.getByLabel('State').selectOption('parked')
  await page.waitForURL(/status=parked/)
  await page.reload()
  assert.equal(await page.getByLabel('State').inputValue(), 'parked')
  await page.getByRole('button', { name: 'Clear' }).click()
  await page.waitForURL((url) => !url.search.includes('status'))
  assert.deepEqual(faults, [])
  await context.close()
})

test('columns are chosen in a menu, and the choice and its undoing stay', async () => {
  const { page, context, faults } = await watched(browser, server.base, { storage })
  await madeUp(page)
  await page.goto(`${server.base}/ui/sessions`)
  const head = (name) => page.getByRole('columnheader', { name })
  await head('Queued').waitFor()
  await page.getByRole('button', { name: 'Columns' }).click()
  const menu = page.getByRole('menu', { name: 'Columns' })
  assert.equal(await menu.getByRole('menuitemcheckbox', { name: 'Session' }).count(), 0, 'the first column leads to the record')
  await menu.getByRole('menuitemcheckbox', { name: 'Queued' }).click()
  await menu.getByRole('menuitemcheckbox', { name: 'Since' }).click()
  await head('Queued').waitFor({ state: 'detached' })
  await page.keyboard.press('Escape')
  await page.reload()
  await head('Reason').waitFor()
  assert.equal((await head('Queued').count()) + (await head('Since').count()), 0)
  await page.getByRole('button', { name: 'Columns' }).click()
  await menu.getByRole('menuitem', { name: 'As they were' }).click()
  await head('Queued').waitFor()
  // On a smaller screen what is spare is left out, unless it was asked for.
  await page.setViewportSize({ width: 1100, height: 900 })
  await head('Engine').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Columns' }).click()
  await menu.getByRole('menuitemcheckbox', { name: 'Engine' }).click()
  await head('Engine').waitFor()
  assert.deepEqual(faults, [])
  await context.close()
})

test('a view is a name for filters: kept, found from the list and the palette, and dropped', async () => {
  const { page, context, faults } = await watched(browser, server.base, { storage })
  await madeUp(page)
  const name = '<b>Stuck</b> {{count}}'
  await page.goto(`${server.base}/ui/sessions`)
  const views = page.getByRole('button', { name: 'Views' })
  const menu = page.getByRole('menu', { name: 'Views' })
  await views.click()
  await menu.getByRole('menuitem', { name: 'Set a filter to keep a view', disabled: true }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByLabel('State').selectOption('parked')
  await page.waitForURL(/status=parked/)
  await views.click()
  await menu.getByRole('menuitem', { name: 'Keep this view' }).click()
  const keeping = page.getByRole('dialog', { name: 'Keep this view' })
  await keeping.getByLabel('Name of the view').fill(name)
  await keeping.getByRole('button', { name: 'Keep it' }).click()
  await keeping.waitFor({ state: 'detached' })
  await page.goto(`${server.base}/ui/sessions?status=connected`)
  await views.click()
  await menu.getByRole('menuitem', { name, exact: true }).click()
  await page.waitForURL((url) => url.search === '?status=parked')
  assert.equal(await page.getByLabel('State').inputValue(), 'parked')

  await page.goto(`${server.base}/ui/plans`)
  await page.getByRole('navigation', { name: 'Screens' }).waitFor()
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Search or go to' }).fill('stuck')
  await page.getByRole('option', { name }).waitFor()
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/sessions\?status=parked$/)
  await views.click()
  await menu.getByRole('menuitem', { name: `Drop “${name}”` }).click()
  await menu.getByRole('menuitem', { name, exact: true }).waitFor({ state: 'detached' })
  assert.deepEqual(faults, [])
  await context.close()
})

test('the keyboard goes everywhere: palette, go-keys, rows, sheet', async () => {
  const { page, context, faults } = await watched(browser, server.base, { storage })
  await madeUp(page)
  await page.goto(`${server.base}/ui/`)
  await page.getByRole('navigation', { name: 'Screens' }).waitFor()
  await page.keyboard.press('g')
  await page.keyboard.press('s')
  await page.waitForURL(/\/sessions/)
  await page.getByRole('link', { name: 'Desk 0', exact: true }).waitFor()
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.waitForFunction(() => document.activeElement?.textContent === 'Desk 1')
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Search or go to' }).fill('plans')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/plans/)
  assert.deepEqual(faults, [])
  await context.close()
})

function message(number) {
  return {
    // Ids begin with the millisecond they were minted in.
    id: `msg_${(Date.UTC(2026, 10, 30) + number).toString(16).padStart(12, '0')}${'7'.padEnd(20, '0')}`,
    session: id('ses', 1),
    tenant: id('ten', 1),
    tenant_name: 'Acme',
    direction: 'out',
    chat: `+1555100${String(number).padStart(4, '0')}`,
    type: 'text',
    status: 'sent',
    reason: null,
    delivery: 'at_least_once',
    redacted: true,
    attempts: 1,
    wa_id: null,
    client_ref: null,
    times: { queued: '2026-11-30T00:00:00.000Z' },
  }
}

test('new messages of the fleet wait behind a pill, and a page that nobody sees asks for none', async () => {
  const { page, context, faults } = await watched(browser, server.base, { storage })
  let there = 3
  const asked = []
  await page.route(/\/v1\/admin\/messages\?/, (route) => {
    const from = new URL(route.request().url()).searchParams.get('from')
    asked.push(from)
    const all = Array.from({ length: there }, (_, at) => message(there - 1 - at))
    const since = from ? Date.parse(from) - Date.UTC(2026, 10, 30) : 0
    return route.fulfill({ json: { data: all.slice(0, there - since), next_cursor: null, has_more: false } })
  })
  await page.clock.install()
  await page.goto(`${server.base}/ui/messages`)
  const rows = page.getByRole('table', { name: 'Messages' }).locator('[data-row]')
  await rows.nth(2).waitFor()
  const first = await rows.first().innerText()
  there = 5
  await page.clock.runFor(6_000)
  const pill = page.getByRole('button', { name: '2 new' })
  await pill.waitFor()
  assert.equal(await rows.count(), 3, 'no row moved')
  assert.equal(await rows.first().innerText(), first)
  assert.equal(asked.at(-1), new Date(Date.UTC(2026, 10, 30) + 2).toISOString(), 'no more is asked for than what is newer')

  await pill.click()
  await rows.nth(4).waitFor()
  await pill.waitFor({ state: 'detached' })

  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
  })
  const before = asked.length
  await page.clock.runFor(60_000)
  assert.equal(asked.length, before)
  assert.deepEqual(faults, [])
  await context.close()
})
