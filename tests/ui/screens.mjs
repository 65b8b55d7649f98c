// Every screen there is, with something on it.

/** Addresses of the screens, in groups of a few. What is given are ids of things to show. */
export const screens = ({ tenant, other, session, refused, waiting, message, invoice, entry, webhook }) => {
  const groups = {
    fleet: ['/', '/sessions', '/messages', `/messages?open=${message}`, '/webhooks', `/webhooks?open=${webhook}`, '/transports'],
    session: [
      ...['now', 'timeline', 'events', 'messages', 'chats', 'settings'].map((tab) => `/sessions/${session}?tab=${tab}`),
      `/sessions/${waiting}?tab=pair`,
      `/sessions/${refused}?tab=pair`,
    ],
    tenant: [
      '/tenants',
      '/tenants?new=1',
      ...['usage', 'sessions', 'stop', 'webhooks', 'money', 'invoices', 'keys', 'audit', 'settings'].map(
        (tab) => `/tenants/${tenant}?tab=${tab}`,
      ),
      `/tenants/${other}`,
    ],
    money: ['/plans', '/plans?open=business', '/invoices', `/invoices?open=${invoice}`],
    system: ['/operators', '/operators?open=new', '/audit', `/audit?open=${entry}`, '/system', '/me', '/nowhere'],
  }
  const within = Object.entries(groups).map(([group, paths]) => [group, paths.map((path) => `/ui${path}`)])
  return { ...Object.fromEntries(within), door: ['/ui/sign-in', '/pair'] }
}

/** What opens over a screen when a button is pressed: where, by which button, and what it is called. */
export const dialogs = ({ tenant, webhook, invoice }) => [
  [`/tenants/${tenant}?tab=stop`, 'Add a number'],
  [`/tenants/${tenant}?tab=money`, 'Grant a credit'],
  [`/tenants/${tenant}?tab=money`, 'Note a refund'],
  [`/tenants/${tenant}?tab=money`, 'Change the plan'],
  [`/tenants/${tenant}?tab=money`, 'Edit'],
  [`/tenants/${tenant}?tab=money`, 'End with the period'],
  [`/tenants/${tenant}?tab=money`, 'End at once'],
  [`/tenants/${tenant}?tab=webhooks`, 'New webhook'],
  [`/webhooks?open=${webhook}`, 'Change'],
  [`/webhooks?open=${webhook}`, 'Send a period again'],
  [`/invoices?open=${invoice}`, 'Issue a credit note'],
]

/** Waits until a screen shows what it has instead of the shape of it. */
export async function settled(page) {
  await page.waitForFunction(() => document.querySelector('main')?.textContent && !document.querySelector('main [aria-busy="true"]'))
}
