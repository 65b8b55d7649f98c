// What people do in the UI, by the words they see.

export const owner = { name: 'Maria Ferreira', email: 'maria@example.com', password: 'a pigeon finds its way home' }

export async function firstRun(page, { base, setup }) {
  await page.goto(base + setup)
  await page.getByLabel('Your name').fill(owner.name)
  await page.getByLabel('Email').fill(owner.email)
  await page.getByLabel('Password').first().fill(owner.password)
  await page.getByRole('button', { name: 'Make my account' }).click()
  await page.waitForURL(/\/ui\/$/)
}

export async function signIn(page, base, { email, password } = owner) {
  await page.goto(`${base}/ui/sign-in`)
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password').first().fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL((url) => !url.pathname.endsWith('/sign-in'))
}

/** Types the password where a fresh proof is asked for, if it is. */
export async function prove(page, done) {
  const proof = page.getByRole('dialog', { name: 'Your password, once more' })
  await Promise.race([proof.waitFor(), done.waitFor()])
  if (!(await proof.isVisible())) return
  await proof.getByLabel('Password').first().fill(owner.password)
  await proof.getByRole('button', { name: 'Go on' }).click()
  await done.waitFor()
}

/** A plan without a trial, so that its first invoice is issued at once. */
export async function makePlan(page, base, code) {
  await page.goto(`${base}/ui/plans?open=new`)
  const editor = page.getByRole('complementary', { name: 'New plan' })
  await editor.getByLabel('Code').fill(code)
  await editor.getByLabel('Name').fill('Journey')
  await editor.getByLabel('Price in EUR').fill('19')
  await editor.getByRole('button', { name: 'Make the plan' }).click()
  await page.getByRole('table', { name: 'Plans' }).getByRole('link', { name: 'Journey' }).waitFor()
}

export async function makeTenant(page, base, name, plan) {
  await page.goto(`${base}/ui/tenants?new=1`)
  const dialog = page.getByRole('dialog', { name: 'New tenant' })
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByLabel('Plan').selectOption(plan)
  await dialog.getByRole('button', { name: 'Make the tenant' }).click()
  await page.waitForURL(/\/tenants\/ten_/)
  return new URL(page.url()).pathname.split('/').pop()
}

export async function makeSession(page, base, tenant, label) {
  await page.goto(`${base}/ui/tenants/${tenant}?tab=sessions`)
  await page.getByRole('button', { name: 'New session' }).click()
  const dialog = page.getByRole('dialog', { name: 'New session' })
  await dialog.getByLabel('Session').fill(label)
  await dialog.getByRole('button', { name: 'Make the session' }).click()
  await page.waitForURL(/\/sessions\/ses_/)
  return new URL(page.url()).pathname.split('/').pop()
}

/** From a session that was just made to one that is connected, by the sandbox's phone. */
export async function pair(page) {
  await page.getByRole('button', { name: 'Start pairing' }).click()
  await page.getByRole('img', { name: 'QR code to scan with WhatsApp' }).waitFor()
  await page.getByRole('button', { name: 'Play the phone: scan' }).click()
  await page.getByRole('heading', { level: 1 }).getByText('connected', { exact: true }).waitFor()
}

/** A call as the page makes it: with its cookie and token, for a tenant if one is named. */
export function call(page, method, path, body, tenant) {
  return page.evaluate(
    async ([method, path, body, tenant]) => {
      const { csrf } = await (await fetch('/v1/admin/me')).json()
      const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf, ...(tenant && { 'Columba-Tenant': tenant }) }
      const response = await fetch(path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
      return response.status === 204 ? null : response.json()
    },
    [method, path, body, tenant],
  )
}

/** Asks again until the answer is as wanted, as a page asks: one request after the other. */
export async function until(page, path, wanted, tenant) {
  while (!wanted(await call(page, 'GET', path, undefined, tenant))) await page.evaluate(() => new Promise(requestAnimationFrame))
}

/** The link of an invitation, which is shown once. */
export async function invite(page, base, { name, email, role }) {
  await page.goto(`${base}/ui/operators?open=new`)
  const dialog = page.getByRole('dialog', { name: 'New operator' })
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByLabel('Email').fill(email)
  await dialog.getByLabel('Role').selectOption(role)
  await dialog.getByRole('button', { name: 'Make an invitation' }).click()
  const shown = page.locator('code', { hasText: '/ui/welcome#' })
  await prove(page, shown)
  return shown.innerText()
}

export async function sendTest(page, base, session, text) {
  await page.goto(`${base}/ui/sessions/${session}?tab=now`)
  await page.getByLabel('Text').fill(text)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await page.getByText('Accepted').first().waitFor()
}
