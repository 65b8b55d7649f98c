// Every screen there is, with something on it.

/** Paths of the screens; `tenant` and `session` are ids of such. */
export const screens = ({ tenant, session, waiting }) => [
  '/',
  '/sessions',
  `/sessions/${session}?tab=now`,
  `/sessions/${session}?tab=timeline`,
  `/sessions/${session}?tab=events`,
  `/sessions/${session}?tab=messages`,
  `/sessions/${session}?tab=chats`,
  `/sessions/${session}?tab=settings`,
  `/sessions/${waiting}?tab=pair`,
  '/messages',
  '/tenants',
  '/tenants?new=1',
  ...['usage', 'sessions', 'stop', 'webhooks', 'money', 'invoices', 'keys', 'audit', 'settings'].map(
    (tab) => `/tenants/${tenant}?tab=${tab}`,
  ),
  '/plans',
  '/plans?open=business',
  '/invoices',
  '/webhooks',
  '/transports',
  '/operators',
  '/operators?open=new',
  '/audit',
  '/system',
  '/me',
  '/nowhere',
]

/** What opens over a screen when a button is pressed: where, by which button, and what it is called. */
export const dialogs = ({ tenant, webhook, invoice }) => [
  [`/tenants/${tenant}?tab=stop`, 'Add a number'],
  [`/tenants/${tenant}?tab=money`, 'Grant a credit'],
  [`/tenants/${tenant}?tab=money`, 'Note a refund'],
  [`/tenants/${tenant}?tab=webhooks`, 'New webhook'],
  [`/webhooks?open=${webhook}`, 'Change'],
  [`/webhooks?open=${webhook}`, 'Send a period again'],
  [`/invoices?open=${invoice}`, 'Issue a credit note'],
]

/** Waits until a screen shows what it has instead of the shape of it. */
export async function settled(page) {
  await page.waitForFunction(() => document.querySelector('main')?.textContent && !document.querySelector('main [aria-busy="true"]'))
}
