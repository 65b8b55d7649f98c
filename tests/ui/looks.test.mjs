// Every screen in both themes, on a desk and on a phone, in every language: what axe finds, and what is wider than its window.
// COLUMBA_SHEET names a folder for pictures of them all.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import { launch, overflow, watched } from './browser.mjs'
import { call, firstRun, makePlan, makeSession, makeTenant, owner, pair, sendTest } from './people.mjs'
import { screens, settled } from './screens.mjs'
import { start } from './server.mjs'

const sheet = process.env.COLUMBA_SHEET
const long = 'Zahnarztpraxis am Kurfürstendamm mit einem Namen, der nicht aufhören will, und dann noch ein wenig weiter'
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

let browser
let server
let storage
let groups
before(async () => {
  ;[browser, server] = await Promise.all([launch(), start()])
  const { page, context } = await watched(browser, server.base)
  await firstRun(page, server)
  groups = await something(page)
  storage = await context.storageState()
  await context.close()
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

/** One of each thing there is to be shown, also of what went wrong; the screens that show them. */
async function something(page) {
  const { base } = server
  const tenant = await makeTenant(page, base, long, 'business')
  const session = await makeSession(page, base, tenant, 'Front desk')
  await pair(page)
  await sendTest(page, base, session, 'Your table is ready.')
  await makePlan(page, base, 'journey')
  const other = (await call(page, 'POST', '/v1/admin/tenants', { name: 'عيادة الأسنان', plan: 'journey' })).id
  // A number that is never there, one that refuses new chats, and one that writes.
  for (const to of ['+15550000404', '+15550000463', '+15551230002']) {
    await call(page, 'POST', `/v1/sessions/${session}/messages`, { to, type: 'text', text: { body: 'Hello' } }, tenant)
  }
  await call(page, 'POST', '/v1/sandbox/messages', { session, from: '+15551230003', text: 'Is there a table for two?' }, tenant)
  const webhook = { url: 'https://hooks.acme.invalid/columba', events: ['message.*'] }
  await call(page, 'POST', '/v1/webhooks', webhook, tenant)
  const refused = await makeSession(page, base, tenant, 'Late shift')
  await page.getByRole('button', { name: 'Start pairing' }).click()
  await page.getByRole('img', { name: 'QR code to scan with WhatsApp' }).waitFor()
  await call(page, 'POST', '/v1/sandbox/faults', { session: refused, fault: 'client_outdated' }, tenant)
  await page.getByRole('heading', { level: 1 }).getByText('parked', { exact: true }).waitFor()
  const waiting = await makeSession(page, base, tenant, 'Night shift')
  await page.getByRole('button', { name: 'Start pairing' }).click()
  // What fails, and what is asked to be paid, comes to be a moment after it was asked for.
  const first = async (path) => {
    for (;;) {
      const [row] = (await call(page, 'GET', path)).data
      if (row) return row
      await page.waitForTimeout(50)
    }
  }
  return screens({
    tenant,
    other,
    session,
    refused,
    waiting,
    message: (await first('/v1/admin/messages?status=failed')).id,
    invoice: (await first('/v1/admin/invoices')).id,
    entry: (await first('/v1/admin/audit?order=desc')).seq,
    webhook: (await first('/v1/admin/webhooks')).id,
  })
}

const looks = [
  { width: 1440, scheme: 'light', language: 'en' },
  { width: 1440, scheme: 'dark', language: 'en' },
  { width: 390, scheme: 'light', language: 'en' },
  { width: 390, scheme: 'dark', language: 'ar' },
]

// A group of screens a test, which says where it hangs: axe takes seconds for each screen.
const timeout = 300_000
for (const look of looks) {
  for (const group of Object.keys(screens({}))) {
    test(`axe finds nothing at ${look.width} px, ${look.scheme}, ${look.language}: ${group}`, { timeout }, async () => {
      const { page, context, faults } = await watched(browser, server.base, { ...look, storage })
      const found = []
      for (const path of groups[group]) {
        await page.goto(server.base + path)
        await settled(page)
        const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze()
        for (const { id, nodes } of violations) found.push(`${path}: ${id}: ${nodes[0].html.slice(0, 160)}`)
        await picture(page, path, look)
      }
      await context.close()
      assert.deepEqual(found, [])
      assert.deepEqual(faults, [])
    })
  }
}

for (const language of ['en', 'pt', 'es', 'hi', 'ar']) {
  for (const width of [390, 1024]) {
    test(`nothing is wider than its window of ${width} px, ${language}`, { timeout }, async () => {
      const { page, context, faults } = await watched(browser, server.base, { width, language, storage })
      const wide = []
      for (const path of Object.values(groups).flat()) {
        await page.goto(server.base + path)
        await settled(page)
        const by = await overflow(page)
        if (by > 0) wide.push(`${path}, by ${by}`)
        if (width === 1024) await picture(page, path, { width, scheme: 'light', language })
      }
      await context.close()
      assert.deepEqual(wide, [])
      assert.deepEqual(faults, [])
    })
  }
}

test('fields are as dark as the paper that they stand on', async () => {
  const { page, context } = await watched(browser, server.base, { scheme: 'dark', storage })
  await page.goto(`${server.base}/ui/operators?open=new`)
  const field = page.getByRole('dialog').getByLabel('Name')
  const [ground, paper] = await field.evaluate((field) => {
    const sheet = document.body.appendChild(document.createElement('div'))
    sheet.style.setProperty('background', 'var(--paper)')
    return [field, sheet].map((one) => getComputedStyle(one).backgroundColor)
  })
  assert.equal(ground, paper)
  await context.close()
})

test('the language that was chosen, its direction and its words stay', async () => {
  const { page, context } = await watched(browser, server.base, { storage })
  await page.goto(`${server.base}/ui/`)
  await page.getByRole('button', { name: 'Account, theme and language' }).click()
  await page.getByRole('menuitemradio', { name: /العربية/ }).click()
  await page.getByRole('heading', { name: 'نظرة عامة' }).waitFor({ state: 'attached' })
  assert.equal(await page.evaluate(() => document.documentElement.dir), 'rtl')
  await context.close()
})

test(`the page goes on when ${owner.name}'s server is away, and says so`, async () => {
  const { page, context } = await watched(browser, server.base, { storage })
  await page.goto(`${server.base}/ui/tenants`)
  await settled(page)
  await page.route('**/v1/**', (route) => route.abort())
  // Not to the plans: those were read a moment ago, and stand.
  await page.getByRole('link', { name: 'Invoices' }).click()
  await page.getByText('The server does not answer.').first().waitFor()
  await page.unroute('**/v1/**')
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('table', { name: 'Invoices' }).waitFor()
  await context.close()
})

const pictures = []

async function picture(page, path, { width, scheme, language }) {
  if (!sheet) return
  mkdirSync(sheet, { recursive: true })
  const at = Object.values(groups).flat().indexOf(path)
  const words = path
    .replaceAll(/_[0-9a-f]{32}/g, '')
    .replaceAll(/\W+/g, '-')
    .replace(/^-ui-/, '')
  const name = `${String(at).padStart(2, '0')}-${words}_${width}_${scheme}_${language}.png`
  await page.screenshot({ path: join(sheet, name) })
  pictures.push(name)
  const cells = pictures.toSorted().map((one) => `<figure><img src="${one}" loading="lazy"><figcaption>${one}</figcaption></figure>`)
  const style =
    'body{display:flex;flex-wrap:wrap;gap:8px;font:12px sans-serif}figure{margin:0;width:32%}img{width:100%;border:1px solid #999}'
  writeFileSync(join(sheet, 'index.html'), `<!doctype html><meta charset="utf-8"><style>${style}</style>${cells.join('\n')}`)
}
