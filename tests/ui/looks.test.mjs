// Every screen in both themes, on a desk and on a phone, in every language: what axe finds, and what is wider than its window.
// COLUMBA_SHEET names a folder for pictures of them all.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import { launch, overflow, watched } from './browser.mjs'
import { firstRun, makeSession, makeTenant, owner, pair, sendTest } from './people.mjs'
import { screens, settled } from './screens.mjs'
import { start } from './server.mjs'

const sheet = process.env.COLUMBA_SHEET
const long = 'Zahnarztpraxis am Kurfürstendamm mit einem Namen, der nicht aufhören will, und dann noch ein wenig weiter'
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

let browser
let server
let storage
let paths
before(async () => {
  ;[browser, server] = await Promise.all([launch(), start()])
  const { page, context } = await watched(browser, server.base)
  await firstRun(page, server)
  const tenant = await makeTenant(page, server.base, long, 'business')
  const session = await makeSession(page, server.base, tenant, 'Front desk')
  await pair(page)
  await sendTest(page, server.base, session, 'Your table is ready.')
  const waiting = await makeSession(page, server.base, tenant, 'Night shift')
  await page.getByRole('button', { name: 'Start pairing' }).click()
  storage = await context.storageState()
  paths = screens({ tenant, session, waiting })
  await context.close()
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

const looks = [
  { width: 1440, scheme: 'light', language: 'en' },
  { width: 1440, scheme: 'dark', language: 'en' },
  { width: 390, scheme: 'light', language: 'en' },
  { width: 390, scheme: 'dark', language: 'ar' },
]

for (const look of looks) {
  test(`axe finds nothing at ${look.width} px, ${look.scheme}, ${look.language}`, async () => {
    const { page, context, faults } = await watched(browser, server.base, { ...look, storage })
    const found = []
    for (const path of [...paths.map((path) => `/ui${path}`), '/ui/sign-in', '/pair']) {
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

for (const language of ['en', 'pt', 'es', 'hi', 'ar']) {
  test(`nothing is wider than its window, ${language}`, async () => {
    const wide = []
    for (const width of [390, 1024]) {
      const { page, context, faults } = await watched(browser, server.base, { width, language, storage })
      for (const path of [...paths.map((path) => `/ui${path}`), '/ui/sign-in', '/pair']) {
        await page.goto(server.base + path)
        await settled(page)
        const by = await overflow(page)
        if (by > 0) wide.push(`${path} at ${width} px, by ${by}`)
        if (sheet && width === 1024) await picture(page, path, { width, scheme: 'light', language })
      }
      await context.close()
      assert.deepEqual(faults, [])
    }
    assert.deepEqual(wide, [])
  })
}

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
  await page.getByRole('link', { name: 'Plans' }).click()
  await page.getByText('The server does not answer.').first().waitFor()
  await page.unroute('**/v1/**')
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('table', { name: 'Plans' }).waitFor()
  await context.close()
})

const pictures = []

async function picture(page, path, { width, scheme, language }) {
  if (!sheet) return
  mkdirSync(sheet, { recursive: true })
  const name = `${path
    .replaceAll(/(ten|ses)_\w+/g, '$1')
    .replaceAll(/\W+/g, '-')
    .replace(/^-/, '')}_${width}_${scheme}_${language}.png`
  await page.screenshot({ path: join(sheet, name) })
  pictures.push(name)
  const cells = pictures.toSorted().map((one) => `<figure><img src="${one}" loading="lazy"><figcaption>${one}</figcaption></figure>`)
  const style =
    'body{display:flex;flex-wrap:wrap;gap:8px;font:12px sans-serif}figure{margin:0;width:32%}img{width:100%;border:1px solid #999}'
  writeFileSync(join(sheet, 'index.html'), `<!doctype html><meta charset="utf-8"><style>${style}</style>${cells.join('\n')}`)
}
