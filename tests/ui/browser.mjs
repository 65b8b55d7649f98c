// Debian's Chromium, and pages that are watched: whatever the page should not do is remembered.

import { chromium } from 'playwright-core'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

export const launch = () => chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })

/** A refusal the page expects and shows, which the browser also reports. */
const expected = [
  // Nobody is signed in yet.
  { status: 401, path: /^\/v1\/admin\/(me|overview)$/ },
  // Between two codes there is none.
  { status: 409, path: /\/qr$/ },
  // Contacts and the like before a look.
  { status: 403, path: /^\/v1\/(sessions\/\w+\/(contacts|groups)|deliveries\/\w+)$/ },
]

/**
 * A page in a context of its own. `faults` fills with console errors, exceptions, requests to elsewhere, dialogs and violations of
 * the page's policy: a test ends by holding it against `[]`.
 */
export async function watched(browser, base, { width = 1440, height = 900, scheme = 'light', language = 'en', storage } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    locale: language,
    reducedMotion: 'reduce',
    storageState: storage,
    ...(width < 500 && { hasTouch: true, isMobile: true }),
  })
  context.setDefaultTimeout(60_000)
  await context.addInitScript((chosen) => localStorage.setItem('columba.language', chosen), language)
  const page = await context.newPage()
  const faults = []
  const refused = new Map()
  page.on('response', (response) => {
    if (response.status() >= 400) refused.set(response.url(), response.status())
  })
  page.on('console', (message) => {
    if (message.type() !== 'error') return
    const { url } = message.location()
    const path = URL.canParse(url) ? new URL(url).pathname : ''
    const status = refused.get(url) ?? Number(/status of (\d+)/.exec(message.text())?.[1])
    if (expected.some((one) => one.status === status && one.path.test(path))) return
    faults.push(`console: ${message.text()} ${url}`)
  })
  page.on('pageerror', (error) => faults.push(`exception: ${error.message}`))
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    const url = new URL(request.url())
    if (!['blob:', 'data:'].includes(url.protocol) && url.host !== new URL(base).host) faults.push(`off-origin: ${url.href}`)
  })
  return { page, context, faults }
}

/** Whether anything is wider than the window. */
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
