// Who comes in: the second factor, sign-ins elsewhere, a role that only reads; and a phone that was not linked.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, test } from 'node:test'
import { launch, watched } from './browser.mjs'
import { call, firstRun, invite, makePlan, makeSession, makeTenant, owner, pair, sendTest, signIn } from './people.mjs'
import { screens, settled } from './screens.mjs'
import { start } from './server.mjs'

let browser
let server
let tenant
let session
before(async () => {
  ;[browser, server] = await Promise.all([launch(), start()])
  const { page, context } = await watched(browser, server.base)
  await firstRun(page, server)
  await makePlan(page, server.base, 'journey')
  tenant = await makeTenant(page, server.base, 'Acme Dental', 'journey')
  session = await makeSession(page, server.base, tenant, 'Front desk')
  await pair(page)
  await sendTest(page, server.base, session, 'Your table is ready.')
  await context.close()
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

/** What an authenticator shows (RFC 6238). The server takes the code before and after too, each once and in order of time. */
function code(secret, { steps = 0 } = {}) {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps))
  const hash = createHmac('sha1', key).update(counter).digest()
  return String((hash.readUInt32BE(hash.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

const beyondRefusals = (faults) => faults.filter((fault) => !/\/v1\/admin\/(door\/sign-in|me)/.test(fault))

/** To where the code is asked for: the password was right. */
async function withPassword(page) {
  await page.goto(`${server.base}/ui/sign-in`)
  await page.getByLabel('Email').fill(owner.email)
  await page.getByLabel('Password').first().fill(owner.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByLabel('Code from your authenticator').waitFor()
}

async function withRecovery(page, recovery) {
  await withPassword(page)
  await page.getByRole('button', { name: 'Use a recovery code' }).click()
  await page.getByLabel('Recovery code').fill(recovery)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

const refused = 'That code is not right, or was used before.'

test('a second factor is turned on, asked for, replaced by a recovery code once, and turned off with a fresh proof', async () => {
  const { page, context, faults } = await watched(browser, server.base)
  await signIn(page, server.base)
  await page.goto(`${server.base}/ui/me`)
  await page.getByRole('button', { name: 'Set it up' }).click()
  await page.getByRole('img', { name: 'QR code for your authenticator' }).waitFor()
  const secret = await page.getByRole('button', { name: /^Copy [A-Z2-7]{32}$/ }).innerText()
  await page.getByLabel('Code from your authenticator').fill('000000')
  await page.getByRole('button', { name: 'Turn it on' }).click()
  await page.getByText(refused).waitFor()
  await page.getByLabel('Code from your authenticator').fill(code(secret, { steps: -1 }))
  await page.getByRole('button', { name: 'Turn it on' }).click()
  await page.getByText('Ten recovery codes').waitFor()
  const codes = await page.locator('li.mono').allInnerTexts()
  assert.equal(new Set(codes).size, 10)
  await page.getByRole('button', { name: 'I have kept it' }).click()
  await page.getByText('10 recovery codes are left.').waitFor()
  await page.reload()
  await page.getByText('10 recovery codes are left.').waitFor()
  assert.equal(await page.getByText(codes[0]).count(), 0, 'they are shown once')
  await page.getByRole('button', { name: 'Account, theme and language' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL(/\/sign-in/)

  await withPassword(page)
  await page.getByLabel('Code from your authenticator').fill('000000')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText(refused).waitFor()
  const used = code(secret)
  await page.getByLabel('Code from your authenticator').fill(used)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL(/\/ui\/$/)

  const elsewhere = await watched(browser, server.base)
  await withRecovery(elsewhere.page, codes[0])
  await elsewhere.page.waitForURL(/\/ui\/$/)
  await elsewhere.page.goto(`${server.base}/ui/me`)
  await elsewhere.page.getByText('9 recovery codes are left.').waitFor()
  await elsewhere.context.clearCookies()
  await withRecovery(elsewhere.page, codes[0])
  await elsewhere.page.getByText(refused).waitFor()
  assert.match(elsewhere.page.url(), /\/sign-in/)
  await elsewhere.context.close()

  await page.goto(`${server.base}/ui/me`)
  // As it is ten minutes after the last proof.
  const stale = { status: 403, title: 'Step up', code: 'step_up_required', detail: 'a fresh proof is asked for', retryable: false }
  await page.route('**/v1/admin/me/totp', (route) => route.fulfill({ status: 403, json: stale }), { times: 1 })
  await page.getByRole('button', { name: 'Turn it off' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Turn it off' }).click()
  const proof = page.getByRole('dialog', { name: 'Your password, once more' })
  await proof.getByLabel('Password').first().fill(owner.password)
  await proof.getByLabel('Code from your authenticator').fill(used)
  await proof.getByRole('button', { name: 'Go on' }).click()
  await proof.getByText(refused).waitFor()
  await proof.getByLabel('Code from your authenticator').fill(code(secret, { steps: 1 }))
  await proof.getByRole('button', { name: 'Go on' }).click()
  await page.getByRole('button', { name: 'Set it up' }).waitFor()
  assert.deepEqual(beyondRefusals([...faults, ...elsewhere.faults]), [])
  await context.clearCookies()
  await signIn(page, server.base)
  await context.close()
})

test('who lost the second factor is invited anew, and no code is asked for any more', async () => {
  const boss = await watched(browser, server.base)
  const lost = await watched(browser, server.base)
  await signIn(boss.page, server.base)
  const lena = { name: 'Lena', email: 'lena@example.com', role: 'viewer' }
  const comeIn = async (link, password) => {
    await lost.page.goto('about:blank')
    await lost.page.goto(link)
    await lost.page.getByLabel('Password').first().fill(password)
    await lost.page.getByRole('button', { name: 'Go in' }).click()
    await lost.page.waitForURL(/\/ui\/$/)
  }
  await comeIn(await invite(boss.page, server.base, lena), 'a heron stands in the reeds')
  await lost.page.goto(`${server.base}/ui/me`)
  await lost.page.getByRole('button', { name: 'Set it up' }).click()
  const secret = await lost.page.getByRole('button', { name: /^Copy [A-Z2-7]{32}$/ }).innerText()
  await lost.page.getByLabel('Code from your authenticator').fill(code(secret))
  await lost.page.getByRole('button', { name: 'Turn it on' }).click()
  await lost.page.getByText('Ten recovery codes').waitFor()

  const { data } = await call(boss.page, 'GET', '/v1/admin/operators')
  await boss.page.goto(`${server.base}/ui/operators?open=${data.find(({ email }) => email === lena.email).id}`)
  await boss.page.getByRole('button', { name: 'Lost second factor' }).click()
  await boss.page.getByRole('dialog').getByRole('button', { name: 'New invitation' }).click()
  const shown = boss.page.locator('code', { hasText: '/ui/welcome#' })
  await shown.waitFor()
  await comeIn(await shown.innerText(), 'two herons stand in the reeds')
  await lost.page.goto(`${server.base}/ui/me`)
  await lost.page.getByRole('button', { name: 'Set it up' }).waitFor()
  assert.deepEqual(beyondRefusals(boss.faults), [])
  await Promise.all([boss.context.close(), lost.context.close()])
})

test('who signs out everywhere in one browser is asked to sign in again in the other', async () => {
  const here = await watched(browser, server.base)
  const there = await watched(browser, server.base)
  await signIn(here.page, server.base)
  await signIn(there.page, server.base)
  await here.page.goto(`${server.base}/ui/tenants`)
  await here.page.getByRole('link', { name: 'Acme Dental' }).waitFor()
  await there.page.goto(`${server.base}/ui/me`)
  await there.page.getByRole('button', { name: 'Sign out everywhere' }).click()
  await there.page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click()
  await there.page.waitForURL(/\/sign-in/)
  // Nothing is reloaded: the next screen asks the server, and is refused.
  await here.page.getByRole('link', { name: 'Invoices' }).click()
  await here.page.waitForURL(/\/sign-in\?next=/)
  await here.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  assert.equal(await here.page.getByText('Acme Dental').count(), 0)
  await signIn(there.page, server.base)
  await Promise.all([here.context.close(), there.context.close()])
})

test('a viewer is offered nothing that writes', async () => {
  const boss = await watched(browser, server.base)
  await signIn(boss.page, server.base)
  const viewer = { name: 'Vera', email: 'vera@example.com', role: 'viewer', password: 'a heron stands in the reeds' }
  const waiting = (await call(boss.page, 'POST', '/v1/sessions', { label: 'Night shift' }, tenant)).id
  await call(boss.page, 'POST', '/v1/webhooks', { url: 'https://hooks.acme.invalid/columba', events: ['message.*'] }, tenant)
  const first = async (path) => (await call(boss.page, 'GET', path)).data[0]
  const message = (await first('/v1/admin/messages')).id
  const invoice = (await first('/v1/admin/invoices')).id
  const webhook = (await first('/v1/admin/webhooks')).id
  const entry = (await first('/v1/admin/audit?order=desc')).seq
  const link = await invite(boss.page, server.base, viewer)
  await boss.context.close()

  const { page, context, faults } = await watched(browser, server.base)
  await page.goto(link)
  await page.getByLabel('Password').first().fill(viewer.password)
  await page.getByRole('button', { name: 'Go in' }).click()
  await page.waitForURL(/\/ui\/$/)

  const written = []
  page.on('request', (request) => {
    const { pathname } = new URL(request.url())
    if (request.method() !== 'GET' && !pathname.endsWith('/feed/tickets')) written.push(`${request.method()} ${pathname}`)
  })
  const all = screens({ tenant, other: tenant, session, refused: session, waiting, message, invoice, entry, webhook })
  const offered = []
  // Without what is asked of everybody: the door, and one's own account.
  for (const path of Object.values({ ...all, door: ['/ui/'] }).flat()) {
    if (path === '/ui/me') continue
    await page.goto(server.base + path)
    await settled(page)
    const names = await page.locator('main, aside, dialog').evaluateAll((places) =>
      places
        .flatMap((place) => [...place.querySelectorAll('button, input[type="submit"], textarea, input[type="text"], input:not([type])')])
        // What sorts, opens, copies, narrows, closes or keeps a file of what is shown.
        .filter((one) => !one.closest('[role="tablist"], [role="columnheader"], [role="search"], [role="radiogroup"], nav, summary'))
        .map((one) => one.getAttribute('aria-label') ?? (one.textContent?.trim() || one.id || one.outerHTML.slice(0, 80)))
        .filter((name) => !/^(Copy|Close|Pause)| as a PDF$/.test(name)),
    )
    for (const name of names) offered.push(`${path}: ${name}`)
  }
  assert.deepEqual(offered, [])
  assert.deepEqual(written, [])
  assert.deepEqual(faults, [])
  await context.close()
})

test('a pairing that is refused says why, to the customer and to the operator, and no code is left', async () => {
  const operator = await watched(browser, server.base)
  await signIn(operator.page, server.base)
  const late = await makeSession(operator.page, server.base, tenant, 'Late shift')
  await call(operator.page, 'POST', '/v1/admin/me/step-up', { password: owner.password })
  const { url } = await call(operator.page, 'POST', `/v1/sessions/${late}/pairing-links`, undefined, tenant)
  const customer = await watched(browser, server.base, { width: 390, height: 844 })
  await customer.page.goto(server.base + new URL(url).pathname + new URL(url).hash)
  await customer.page.getByRole('button', { name: 'I know them. Go on' }).click()
  await customer.page.getByRole('img', { name: 'QR code to scan with WhatsApp' }).waitFor()
  await operator.page.getByRole('img', { name: 'QR code to scan with WhatsApp' }).waitFor()

  await call(operator.page, 'POST', '/v1/sandbox/faults', { session: late, fault: 'client_outdated' }, tenant)
  await customer.page.getByRole('heading', { name: 'The phone was not linked' }).waitFor()
  await customer.page.getByText('WhatsApp no longer accepts this version of the service.').waitFor()
  await operator.page.getByText('WhatsApp no longer accepts this version of the client').first().waitFor()
  await operator.page.getByText('Move the session to a newer release of its engine.').first().waitFor()
  for (const { page } of [customer, operator])
    assert.equal(await page.getByRole('img', { name: 'QR code to scan with WhatsApp' }).count(), 0)

  // It is over: the page keeps nothing to go on with.
  await customer.page.reload()
  await customer.page.getByRole('heading', { name: 'This link cannot be used' }).waitFor()
  // And the operator goes on from the same screen.
  await operator.page.getByRole('button', { name: 'Start pairing' }).click()
  await operator.page.getByRole('img', { name: 'QR code to scan with WhatsApp' }).waitFor()
  assert.deepEqual([...operator.faults, ...customer.faults], [])
  await Promise.all([operator.context.close(), customer.context.close()])
})
