// Whatever tenants call things is text, wherever it is shown.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, watched } from './browser.mjs'
import { call, firstRun, makeSession, makeTenant, pair, sendTest } from './people.mjs'
import { settled } from './screens.mjs'
import { start } from './server.mjs'

const corpus = [
  `<script>hit()</script>`,
  `"><img src=x onerror=hit()>`,
  `'><svg/onload=hit()>`,
  `</title><script>hit()</script>`,
  `<iframe srcdoc="<script>parent.hit()</script>">`,
  `javascript:hit()`,
  `<a href="javascript:hit()">x</a>`,
  `{{constructor.constructor('hit()')()}}`,
  `\${hit()}`,
  `<math><mtext></form><form><mglyph><style></math><img src onerror=hit()>`,
  `<details open ontoggle=hit()>`,
  `{{count}} {{name}}`,
]

let browser
let server
before(async () => {
  ;[browser, server] = await Promise.all([launch(), start()])
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

test('nothing that tenants wrote is ever run', async () => {
  const { page, context, faults } = await watched(browser, server.base)
  await context.addInitScript(() => {
    window.hits = 0
    window.hit = () => (window.hits += 1)
  })
  const seen = async (path) => {
    await page.goto(server.base + path)
    await settled(page)
    assert.equal(await page.evaluate(() => window.hits), 0, path)
  }
  await firstRun(page, server)
  for (const text of corpus) {
    const { id: tenant } = await call(page, 'POST', '/v1/admin/tenants', { name: text, plan: 'business' })
    const { id: session } = await call(page, 'POST', '/v1/sessions', { label: text.slice(0, 64) }, tenant)
    await seen(`/ui/sessions/${session}?tab=settings`)
    await seen(`/ui/tenants/${tenant}?tab=settings`)
    // What its people call an endpoint, and why an operator gave a credit.
    const { id: webhook } = await call(page, 'POST', '/v1/webhooks', { url: 'https://example.com/in', description: text }, tenant)
    await seen(`/ui/tenants/${tenant}?tab=webhooks&open=${webhook}`)
    await page.getByRole('complementary').getByText(text, { exact: true }).last().waitFor()
    await call(page, 'POST', `/v1/admin/tenants/${tenant}/credits`, { amount_minor: 100, currency: 'EUR', reference: text })
    await seen(`/ui/tenants/${tenant}?tab=money`)
    await page.getByRole('table').getByText(text, { exact: true }).waitFor()
  }
  // What was written, as text in a drawer, within a look.
  const tenant = await makeTenant(page, server.base, 'Acme', 'business')
  const session = await makeSession(page, server.base, tenant, 'Desk')
  await pair(page)
  for (const text of corpus.slice(0, 3)) await sendTest(page, server.base, session, text)
  for (const path of ['/ui/', '/ui/sessions', '/ui/tenants', '/ui/messages', '/ui/audit', `/ui/sessions/${session}?tab=messages`])
    await seen(path)
  for (const text of corpus.slice(0, 3)) await seen(`/ui/sessions?q=${encodeURIComponent(text)}`)
  await page.goto(`${server.base}/ui/tenants`)
  await page.getByText(corpus[0], { exact: true }).first().waitFor()
  assert.equal(await page.evaluate(() => window.hits), 0)
  assert.deepEqual(faults, [])
})

test('the page’s policy is the strict one, and holds', async () => {
  for (const path of ['/ui/', '/pair']) {
    const { headers } = await fetch(server.base + path, { headers: { accept: 'text/html' } })
    const policy = headers.get('content-security-policy') ?? ''
    assert.match(policy, /default-src 'none'/)
    assert.match(policy, /script-src 'self'/)
    assert.doesNotMatch(policy, /unsafe/)
    assert.match(policy, /frame-ancestors 'none'/)
    assert.equal(headers.get('x-robots-tag'), 'noindex')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
  }
})
