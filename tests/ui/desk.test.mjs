// What operators do for a tenant by hand: its stop list, its plan, its money, its webhooks.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import { launch, overflow, watched } from './browser.mjs'
import { listen } from './endpoint.mjs'
import { call, firstRun, makePlan, makeSession, makeTenant, pair, prove, until } from './people.mjs'
import { dialogs, settled } from './screens.mjs'
import { start } from './server.mjs'

let browser
let server
let storage
let tenant
let session
let endpoint
before(async () => {
  const settings = { COLUMBA__WEBHOOKS__ALLOW_PRIVATE: '127.0.0.1' }
  ;[browser, server, endpoint] = await Promise.all([launch(), start(settings), listen()])
  const { page, context } = await watched(browser, server.base)
  await firstRun(page, server)
  await makePlan(page, server.base, 'desk')
  tenant = await makeTenant(page, server.base, 'Acme Dental', 'desk')
  session = await makeSession(page, server.base, tenant, 'Front desk')
  await pair(page)
  storage = await context.storageState()
  await context.close()
})
after(async () => {
  await browser?.close()
  await server?.stop()
  await endpoint?.close()
})

const open = async (tab) => {
  const watching = await watched(browser, server.base, { storage })
  await watching.page.goto(`${server.base}/ui/tenants/${tenant}?tab=${tab}`)
  return watching
}
const text = (to) => ({ to, type: 'text', text: { body: 'Your table is ready.' } })
/** What the page is told of a refusal the test asked for. */
const but = (faults, ...paths) => faults.filter((fault) => !paths.some((path) => fault.includes(path)))
test('who said STOP stays on the list until they say START; what was entered by hand can be taken off', async () => {
  const { page, context, faults } = await open('stop')
  await page.getByText('Nobody is on the list.').waitFor()
  const [stopped, entered] = ['+15551230001', '+15551230002']
  await call(page, 'POST', '/v1/sandbox/messages', { session, from: stopped, text: 'Stop.' }, tenant)
  await until(page, '/v1/suppressions', ({ data }) => data.length === 1, tenant)

  await page.getByRole('button', { name: 'Add a number' }).click()
  const adding = page.getByRole('dialog', { name: 'Add a number' })
  const act = adding.getByRole('button', { name: 'Write to it no more' })
  await adding.getByLabel('Number').fill('555 123 0002')
  assert.equal(await act.isDisabled(), true, 'a number has its country code')
  await adding.getByLabel('Number').fill('+1 (555) 123-0002')
  await act.click()
  const list = page.getByRole('table', { name: 'Stop list' })
  await list.getByRole('link', { name: entered }).waitFor()
  await assert.rejects(call(page, 'POST', `/v1/sessions/${session}/messages`, text(entered), tenant), /suppressed/)

  await list.getByRole('link', { name: stopped }).click()
  const record = page.getByRole('complementary', { name: stopped })
  await record.getByText('Only they can open the way again').waitFor()
  assert.equal(await record.getByRole('button', { name: 'Take it off the list' }).count(), 0)
  await page.keyboard.press('Escape')

  await page.getByRole('searchbox', { name: 'Part of a number' }).fill('0002')
  await list.getByRole('link', { name: stopped }).waitFor({ state: 'detached' })
  await list.getByRole('link', { name: entered }).click()
  await page.getByRole('button', { name: 'Take it off the list' }).click()
  const asked = page.getByRole('dialog', { name: 'Take it off the list' })
  await asked.getByText('Do it only if that person wishes to be written to.').waitFor()
  await asked.getByRole('button', { name: 'They wish it: take it off' }).click()
  await page.getByText('No number on the list is like that.').waitFor()
  assert.doesNotMatch(page.url(), /555/, 'a number stands in no address')
  await call(page, 'POST', `/v1/sessions/${session}/messages`, text(entered), tenant)

  await call(page, 'POST', '/v1/sandbox/messages', { session, from: stopped, text: 'start' }, tenant)
  await until(page, '/v1/suppressions', ({ data }) => data.length === 0, tenant)
  assert.deepEqual(but(faults, `/v1/sessions/${session}/messages`), [])
  await context.close()
})

test('a plan has tiers, seats and webhooks, says where it is wrong, and goes while no tenant has it', async () => {
  const { page, context, faults } = await watched(browser, server.base, { storage })
  await page.goto(`${server.base}/ui/plans?open=new`)
  const record = (name) => page.getByRole('complementary', { name })
  const tier = (name, number) => record(name).getByRole('group', { name: `Tier ${number}` })
  const making = record('New plan')
  await making.getByLabel('Code').fill('tiered')
  await making.getByLabel('Name').fill('Tiered')
  await making.getByLabel('Webhooks').fill('1')
  await making.getByLabel('Seats').fill('2')
  await making.getByLabel('Largest file').fill('1.5')
  await making.getByLabel('Messages beyond the month’s').selectOption('soft')
  await making.getByLabel('What they cost').selectOption('tiers')
  await making.getByRole('button', { name: 'Add a tier' }).click()
  await tier('New plan', 1).getByLabel('Up to message').fill('0')
  await tier('New plan', 1).getByLabel('Price').fill('0.02')
  await tier('New plan', 2).getByLabel('Price').fill('0.5')
  await tier('New plan', 2).getByLabel('For how many').fill('100')
  assert.equal(await tier('New plan', 2).getByLabel('Up to message').count(), 0, 'the last tier has no bound')
  await making.getByRole('button', { name: 'Make the plan' }).click()
  await tier('New plan', 1).getByText('0 is not above 0, where the tier before ends').waitFor()
  assert.equal(await making.getByRole('alert').count(), 0, 'what stands at its field needs no card')
  await tier('New plan', 1).getByLabel('Up to message').fill('500')
  await making.getByRole('button', { name: 'Make the plan' }).click()

  const list = page.getByRole('table', { name: 'Plans' })
  await list.getByRole('link', { name: 'Tiered' }).click()
  const typed = [record('Tiered').getByLabel('Webhooks'), record('Tiered').getByLabel('Seats'), record('Tiered').getByLabel('Largest file')]
  typed.push(tier('Tiered', 1).getByLabel('Up to message'), tier('Tiered', 1).getByLabel('Price'))
  typed.push(tier('Tiered', 2).getByLabel('Price'), tier('Tiered', 2).getByLabel('For how many'))
  assert.deepEqual(await Promise.all(typed.map((field) => field.inputValue())), ['1', '2', '1.5', '500', '0.02', '0.5', '100'])
  const { media_bytes_max, overage_tiers } = await call(page, 'GET', '/v1/admin/plans/tiered')
  assert.equal(media_bytes_max, 1_572_864)
  assert.deepEqual(overage_tiers, [
    { up_to: 500, price_minor: 2, per: 1 },
    { up_to: null, price_minor: 50, per: 100 },
  ])

  const remove = async (name, code) => {
    await record(name).getByRole('button', { name: 'Delete the plan' }).click()
    const asked = page.getByRole('dialog', { name: 'Delete the plan' })
    await asked.getByRole('textbox').fill(code)
    await asked.getByRole('button', { name: 'Delete the plan' }).click()
    return asked
  }
  await remove('Tiered', 'tiered')
  await prove(page, page.getByText('The plan is deleted'))
  await list.getByRole('link', { name: 'Tiered' }).waitFor({ state: 'detached' })
  await list.getByRole('link', { name: 'Journey' }).click()
  const asked = await remove('Journey', 'desk')
  await prove(page, asked.getByText('tenants that have it: 1'))
  await asked.getByRole('button', { name: 'Cancel' }).click()
  await list.getByRole('link', { name: 'Journey' }).waitFor()
  assert.deepEqual(but(faults, '/v1/admin/plans'), [])
  await context.close()
})

test('a credit is granted, no more than that goes back, and each says beforehand what it does', async () => {
  const { page, context, faults } = await open('money')
  const ledger = page.getByRole('table').filter({ hasText: 'Entry' })
  const row = (kind) => ledger.getByRole('row').filter({ hasText: kind })

  await page.getByRole('button', { name: 'Note a refund' }).click()
  await page.getByText('Acme Dental has nothing in credit').waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()

  await page.getByRole('button', { name: 'Grant a credit' }).click()
  const granting = page.getByRole('dialog', { name: 'Grant a credit' })
  await granting.getByLabel('Amount').fill('0')
  await granting.getByText('At least €0.01.').waitFor()
  assert.equal(await granting.getByRole('button', { name: 'Grant it' }).isDisabled(), true)
  await granting.getByLabel('Amount').fill('5.05')
  await granting.getByLabel('Reference').fill('Goodwill')
  await granting.getByText('€5.05 is given to Acme Dental, who then has €5.05 in credit.').waitFor()
  await granting.getByRole('button', { name: 'Grant it' }).click()
  await row('credit granted').filter({ hasText: 'Goodwill' }).filter({ hasText: '-€5.05' }).waitFor()

  await page.getByRole('button', { name: 'Note a refund' }).click()
  const refunding = page.getByRole('dialog', { name: 'Note a refund' })
  await refunding.getByLabel('Amount').fill('5.06')
  await refunding.getByText('At most €5.05.', { exact: true }).waitFor()
  assert.equal(await refunding.getByRole('button', { name: 'It went back' }).isDisabled(), true)
  await refunding.getByLabel('Amount').fill('2.05')
  await refunding.getByText('€2.05 went back to Acme Dental, who then has €3.00 in credit.').waitFor()
  await refunding.getByRole('button', { name: 'It went back' }).click()
  await prove(page, row('refund').filter({ hasText: '€2.05' }))
  await page.getByText('For the next invoices').waitFor()

  // Somebody else was faster: the server's refusal stands beside its field, and nothing is lost of what was typed.
  await page.getByRole('button', { name: 'Note a refund' }).click()
  await refunding.getByLabel('Amount').fill('3')
  await call(page, 'POST', `/v1/admin/tenants/${tenant}/refunds`, { amount_minor: 100, currency: 'EUR' })
  await refunding.getByRole('button', { name: 'It went back' }).click()
  await refunding.getByText('300 is not within 1 and 200').waitFor()
  assert.equal(await refunding.getByLabel('Amount').inputValue(), '3')
  assert.deepEqual(but(faults, `/v1/admin/tenants/${tenant}/refunds`), [])
  await context.close()
})

test('a credit note takes back what was not paid, then what was; its papers are one click away', async () => {
  const { page, context, faults } = await open('invoices')
  await page.getByRole('table', { name: 'Invoices' }).getByRole('link').first().click()
  const note = async (amount, reason, says) => {
    await page.getByRole('button', { name: 'Issue a credit note' }).click()
    const asked = page.getByRole('dialog', { name: 'Issue a credit note' })
    const act = asked.getByRole('button', { name: 'Issue it' })
    await asked.getByLabel('Amount, with tax').fill(amount)
    assert.equal(await act.isDisabled(), true, 'why is missing')
    await asked.getByLabel('Reason').fill(reason)
    await asked.getByText(says).waitFor()
    await act.click()
    await asked.waitFor({ state: 'detached' })
    await page.getByRole('complementary').getByText(reason).first().waitFor()
  }
  await note('4', 'An hour of outage', /€4\.00 of .+ need not be paid any more; €\d+\.\d\d is left to pay\./)
  assert.equal(await page.getByRole('button', { name: 'Void' }).count(), 0, 'what was taken back in part is not voided')

  await page.getByRole('button', { name: 'Note a payment' }).click()
  await page.getByRole('dialog', { name: 'Note a payment' }).getByRole('button', { name: 'It was paid' }).click()
  await prove(page, page.getByText('The payment was noted'))
  await note('3', 'A kindness', '€3.00, which was paid, is to the tenant’s credit')

  const [paper] = await Promise.all([
    context.waitForEvent('page'),
    page
      .getByRole('link', { name: /CRN-.+ as a page to print/ })
      .last()
      .click(),
  ])
  await paper.getByText('A kindness').waitFor()
  await paper.close()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page
      .getByRole('button', { name: /CRN-.+ as a PDF/ })
      .last()
      .click(),
  ])
  assert.match(download.suggestedFilename(), /^CRN-.+\.pdf$/)
  assert.equal((await readFile(await download.path())).subarray(0, 5).toString(), '%PDF-')
  assert.deepEqual(faults, [])
  await context.close()
})

test('axe finds nothing in what is asked, on a desk and on a phone, and nothing is wider than its window', async () => {
  const { page: first, context: making } = await open('money')
  const { id: webhook } = await call(
    first,
    'POST',
    '/v1/webhooks',
    { url: `${endpoint.url}/in`, events: ['message.read', 'session.*'] },
    tenant,
  )
  await call(first, 'POST', `/v1/admin/tenants/${tenant}/credits`, { amount_minor: 100, currency: 'EUR' })
  const { data } = await call(first, 'GET', `/v1/admin/invoices?tenant=${tenant}`)
  await making.close()
  const found = []
  for (const look of [
    { width: 1440, scheme: 'light' },
    { width: 390, scheme: 'dark' },
  ]) {
    const { page, context, faults } = await watched(browser, server.base, { ...look, storage })
    for (const [path, button] of dialogs({ tenant, webhook, invoice: data[0].id })) {
      await page.goto(`${server.base}/ui${path}`)
      await settled(page)
      await page.getByRole('button', { name: button, exact: true }).click()
      const dialog = page.getByRole('dialog', { name: button })
      await dialog.getByRole('button', { name: 'Cancel' }).waitFor()
      const { violations } = await new AxeBuilder({ page }).include('dialog').analyze()
      for (const { id, nodes } of violations) found.push(`${button} at ${look.width} px: ${id}: ${nodes[0].html.slice(0, 160)}`)
      if ((await overflow(page)) > 0) found.push(`${button} at ${look.width} px is too wide`)
    }
    assert.deepEqual(faults, [])
    await context.close()
  }
  const { page, context } = await open('webhooks')
  await call(page, 'DELETE', `/v1/webhooks/${webhook}`, undefined, tenant)
  await context.close()
  assert.deepEqual(found, [])
})

test('a webhook is made, tried, changed, disabled, and what it missed is sent again', async () => {
  const { page, context, faults } = await open('webhooks')
  await page.getByRole('button', { name: 'New webhook' }).click()
  const making = page.getByRole('dialog', { name: 'New webhook' })
  const make = making.getByRole('button', { name: 'Make the webhook' })
  await making.getByLabel('Everything').uncheck()
  await making.getByText('At least one of these.').waitFor()
  await making.getByLabel('Address').fill('https://10.0.0.1/in')
  assert.equal(await make.isDisabled(), true, 'it would hear of nothing')
  await making.getByLabel('Sessions', { exact: true }).check()
  await making.getByLabel('What its people call it').fill('Till & <b>kitchen</b>')
  await make.click()
  // The server judges addresses; what it says stands beside the field.
  await prove(page, making.getByText('private and special addresses are not allowed'))
  await making.getByLabel('Address').fill(`${endpoint.url}/secret/path`)
  await make.click()
  const shown = page.getByRole('dialog', { name: 'The webhook’s secret' })
  const secret = await shown.getByText(/^whsec_/).innerText()
  await shown.getByRole('button', { name: 'I have kept it' }).click()

  const record = page.getByRole('complementary', { name: endpoint.url })
  await record.getByText('Till & <b>kitchen</b>').waitFor()
  assert.equal(await page.getByText('/secret/path').count(), 0, 'where exactly is the tenant’s own')
  await record.getByRole('button', { name: 'Send a test' }).click()
  const tried = await endpoint.heard('webhook.test')
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signed } = tried.headers
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const mine = createHmac('sha256', key).update(`${id}.${at}.${tried.body}`).digest('base64')
  assert.ok(signed.split(' ').includes(`v1,${mine}`), 'it is signed with the secret that was shown')

  await record.getByRole('button', { name: 'Change' }).click()
  const changing = page.getByRole('dialog', { name: 'Change' })
  await changing.getByLabel('Messages', { exact: true }).check()
  await changing.getByRole('button', { name: 'Save' }).click()
  await record.getByText('session.* message.*').waitFor()

  await record.getByRole('button', { name: 'Disable' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
  await record.getByText('It was disabled as asked.').waitFor()
  const { id: sent } = await call(page, 'POST', `/v1/sessions/${session}/messages`, text('+15551230003'), tenant)
  await until(page, `/v1/messages/${sent}`, ({ status }) => status === 'read', tenant)
  await record.getByRole('button', { name: 'Enable' }).click()
  await record.getByRole('button', { name: 'Send a test' }).waitFor()

  await record.getByRole('button', { name: 'Send a period again' }).click()
  const again = page.getByRole('dialog', { name: 'Send a period again' })
  const end = await again.getByLabel('Until').inputValue()
  await again.getByLabel('Until').fill('2020-01-01T00:00')
  await again.getByText('Later than the beginning.').waitFor()
  assert.equal(await again.getByRole('button', { name: 'Send them again' }).isDisabled(), true)
  await again.getByLabel('Until').fill(end)
  await again.getByLabel('Delivered').check()
  await again.getByText('The endpoint has taken these already.').waitFor()
  await again.getByLabel('Delivered').uncheck()
  await again.getByRole('button', { name: 'Send them again' }).click()
  await again.getByText(/\d+ events go out again\./).waitFor()
  await endpoint.heard('message.read')
  await again.getByRole('button', { name: 'Close' }).click()

  await record.getByRole('button', { name: 'Delete' }).click()
  const ending = page.getByRole('dialog', { name: 'Delete' })
  await ending.getByRole('textbox').fill(new URL(endpoint.url).host)
  await ending.getByRole('button', { name: 'Delete' }).click()
  await prove(page, page.getByText('No webhook yet.'))
  assert.deepEqual(but(faults, '/v1/webhooks'), [])
  await context.close()
})

test('whom invoices are for, an end and a cheaper plan are entered, stand on the page, and the latter two are taken back', async () => {
  const { page, context, faults } = await open('money')
  const agreed = () => call(page, 'GET', `/v1/admin/tenants/${tenant}/subscription`)
  const profile = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Whom invoices are for', exact: true }) })
  await page.getByText(/^\w+ 1, \d{4} – \w+ (28|29|30|31), \d{4}$/).waitFor()
  await profile.getByText('the tenant’s own name').waitFor()
  await profile.getByRole('button', { name: 'Edit' }).click()
  const editing = page.getByRole('dialog', { name: 'Edit whom invoices are for' })
  await editing.getByLabel('Name').fill('A'.repeat(201))
  await editing.getByLabel('Address').fill(`1 Main Street\n${'B'.repeat(201)}`)
  await editing.getByLabel('Tax rate').fill('19.25')
  await editing.getByRole('button', { name: 'Save' }).click()
  await editing.getByText(/^201 characters were given/).waitFor()
  await editing.getByText('Line 2: 201 characters were given').waitFor()
  assert.equal(await editing.getByRole('alert').count(), 0, 'what stands at its field needs no card')
  await editing.getByLabel('Name').fill('Acme Dental GmbH')
  await editing.getByLabel('Address').fill('1 Main Street\n10115 Berlin')
  await editing.getByRole('button', { name: 'Save' }).click()
  await editing.waitFor({ state: 'detached' })
  for (const fact of ['Acme Dental GmbH', '1 Main Street, 10115 Berlin', '19.25%']) await profile.getByText(fact, { exact: true }).waitFor()

  await page.getByRole('button', { name: 'End at once' }).click()
  const atOnce = page.getByRole('dialog', { name: 'End at once' })
  assert.equal(await atOnce.getByRole('button', { name: 'End at once' }).isDisabled(), true, 'it is typed first')
  await atOnce.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('button', { name: 'End with the period' }).click()
  const ending = page.getByRole('dialog', { name: 'End with the period' })
  await ending.getByText('Nothing is given back by itself.').waitFor()
  await ending.getByRole('button', { name: 'End with the period' }).click()
  await page.getByText('An end is planned for').waitFor()
  assert.equal((await agreed()).ends, true)
  await page.getByRole('button', { name: 'Go on after all' }).click()
  await page.getByRole('button', { name: 'End with the period' }).waitFor()
  assert.equal((await agreed()).ends, false)

  await page.getByRole('button', { name: 'Change the plan' }).click()
  const changing = page.getByRole('dialog', { name: 'Change the plan' })
  await changing.getByLabel('Plan', { exact: true }).selectOption('business')
  await changing.getByText('Due now').waitFor()
  await changing.getByLabel('From when').selectOption('period_end')
  await changing.getByText('It begins with the next period').waitFor()
  await changing.getByLabel('Plan', { exact: true }).selectOption('quickstart')
  await changing.getByText('This plan cannot begin now').waitFor()
  await changing.getByText(/^It begins with the next period, on \w+ 1, \d{4}\./).waitFor()
  assert.equal(await changing.getByRole('alert').count(), 0, 'nothing is wrong with a cheaper plan')
  await changing.getByRole('button', { name: 'Change the plan' }).click()
  const next = page.getByText(/^Quick start, from \w+ 1, \d{4}/)
  await next.waitFor()
  assert.equal((await agreed()).next_plan, 'quickstart')
  await page.getByRole('button', { name: 'Take it back' }).click()
  await next.waitFor({ state: 'detached' })
  assert.equal((await agreed()).next_plan, null)
  assert.deepEqual(but(faults, '/billing-profile', '/subscription/preview'), [])
  await context.close()
})
