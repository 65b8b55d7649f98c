// From a first run to an invoice, as an operator does it.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, watched } from './browser.mjs'
import { firstRun, makePlan, makeSession, makeTenant, owner, pair, prove, sendTest, signIn } from './people.mjs'
import { start } from './server.mjs'

let browser
let server
before(async () => {
  ;[browser, server] = await Promise.all([launch(), start()])
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

test('a first run, a tenant, a session, its pairing, a message seen live, a suspension and an invoice', async () => {
  const { page, faults } = await watched(browser, server.base)
  await firstRun(page, server)
  await page.getByText('No tenant yet').waitFor()

  await makePlan(page, server.base, 'journey')
  const tenant = await makeTenant(page, server.base, 'Acme Dental', 'journey')
  const session = await makeSession(page, server.base, tenant, 'Front desk')
  await pair(page)

  // Another window watches while the message goes.
  const watching = await page.context().newPage()
  await watching.goto(`${server.base}/ui/sessions/${session}?tab=events`)
  await watching.getByText('Nothing has happened since you opened this.').waitFor()
  await sendTest(page, server.base, session, 'Your table is ready.')
  await watching.getByText('read', { exact: true }).waitFor()
  await watching.close()

  await page.goto(`${server.base}/ui/sessions/${session}?tab=messages`)
  await page.getByRole('table', { name: 'Messages' }).getByRole('link').first().click()
  const drawer = page.getByRole('complementary', { name: 'Message' })
  await drawer.getByText('The recipient has read it.').waitFor()
  assert.equal(await page.getByText('Your table is ready.').count(), 0, 'what was written is the tenant’s own')

  await page.goto(`${server.base}/ui/tenants/${tenant}?tab=settings`)
  await page.getByRole('button', { name: 'Suspend' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Suspend' }).click()
  await prove(page, page.getByText('An operator suspended this tenant.'))
  await page.getByRole('button', { name: 'Resume' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click()
  await prove(page, page.getByText('Parks its sessions and refuses sending.'))

  await page.goto(`${server.base}/ui/invoices`)
  await page.getByRole('table', { name: 'Invoices' }).getByRole('link').first().click()
  await page.getByRole('button', { name: 'Note a payment' }).click()
  const paying = page.getByRole('dialog', { name: 'Note a payment' })
  await paying.getByLabel('Reference').fill('bank 4711')
  await paying.getByRole('button', { name: 'It was paid' }).click()
  await prove(page, page.getByText('The payment was noted'))

  assert.deepEqual(faults, [])
})

test('a look shows what was written, says so to the tenant, and lets nothing be done', async () => {
  const { page, faults } = await watched(browser, server.base)
  await signIn(page, server.base)
  await page.goto(`${server.base}/ui/messages`)
  await page.getByRole('table', { name: 'Messages' }).getByRole('link').first().click()
  await page.getByText('What was written is the tenant’s own.').waitFor()
  const tenant = page.getByRole('complementary', { name: 'Message' }).getByRole('link', { name: 'Acme Dental' })
  await tenant.click()
  await page.getByRole('button', { name: 'Look as the tenant' }).click()
  const dialog = page.getByRole('dialog', { name: 'Look as Acme Dental' })
  await dialog.getByLabel('Reason').fill('They called: a message is missing')
  await dialog.getByRole('button', { name: 'Look for 30 minutes' }).click()
  await prove(page, page.getByText('You look as the tenant'))
  await page.getByRole('tab', { name: 'Messages' }).click()
  await page.getByRole('table', { name: 'Messages' }).getByRole('link').first().click()
  await page.getByText('Your table is ready.').first().waitFor()
  // The record lies over the last tabs.
  await page.getByRole('complementary', { name: 'Message' }).getByRole('button', { name: 'Close' }).click()
  await page.getByRole('tab', { name: 'Settings' }).click()
  assert.equal(await page.getByRole('button', { name: 'Suspend' }).count(), 0)
  await page.getByRole('button', { name: 'End', exact: true }).click()
  await page.getByRole('button', { name: 'Look as the tenant' }).waitFor()
  assert.deepEqual(faults, [])
})

test('wrong words let nobody in, and who signed out is out', async () => {
  const { page, faults } = await watched(browser, server.base)
  await page.goto(`${server.base}/ui/sessions?status=connected`)
  await page.waitForURL(/\/sign-in/)
  await page.getByLabel('Email').fill(owner.email)
  await page.getByLabel('Password').first().fill('not the password at all')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Email or password is not right.').waitFor()
  await page.getByLabel('Password').first().fill(owner.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL(/\/ui\/sessions\?status=connected$/)
  await page.getByRole('button', { name: 'Account, theme and language' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL(/\/sign-in/)
  await page.goto(`${server.base}/ui/tenants`)
  await page.waitForURL(/\/sign-in/)
  assert.deepEqual(
    faults.filter((fault) => !fault.includes('/v1/admin/door/sign-in')),
    [],
  )
})

test('somebody with a pairing link learns who asks and what it grants, and links their phone once', async () => {
  const operator = await watched(browser, server.base)
  await signIn(operator.page, server.base)
  await operator.page.goto(`${server.base}/ui/tenants`)
  await operator.page.getByRole('link', { name: 'Acme Dental' }).click()
  await operator.page.waitForURL(/\/tenants\/ten_/)
  const tenant = new URL(operator.page.url()).pathname.split('/').pop()
  await makeSession(operator.page, server.base, tenant, 'Night shift')
  await operator.page.getByRole('button', { name: 'Make a pairing link' }).click()
  const shown = operator.page.locator('code', { hasText: '/pair#' })
  await prove(operator.page, shown)
  const link = await shown.innerText()

  const customer = await watched(browser, server.base, { width: 390, height: 844 })
  await customer.page.goto(server.base + new URL(link).pathname + new URL(link).hash)
  await customer.page.getByRole('heading', { name: 'Acme Dental asks you to link a WhatsApp account' }).waitFor()
  assert.equal(new URL(customer.page.url()).hash, '', 'the token stays in no address')
  await customer.page.getByText('This is an unofficial client').or(customer.page.locator('.warning')).first().waitFor()
  await customer.page.getByRole('button', { name: 'I know them. Go on' }).click()
  await customer.page.getByRole('img', { name: 'QR code to scan with WhatsApp' }).waitFor()
  await operator.page.getByRole('button', { name: 'Play the phone: scan' }).click()
  await customer.page.getByRole('heading', { name: 'Linked' }).waitFor()

  const again = await watched(browser, server.base)
  await again.page.goto(server.base + new URL(link).pathname + new URL(link).hash)
  await again.page.getByRole('heading', { name: 'This link cannot be used' }).waitFor()
  assert.deepEqual([...operator.faults, ...customer.faults], [])
})
