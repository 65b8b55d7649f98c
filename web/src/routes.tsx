// Which address shows which screen. A screen's code is loaded when it is shown.

import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { me } from './api/door'
import { isSignedOut } from './api/problems'
import { onSignedOut, queries } from './api/queries'
import { Frame } from './frame/frame'
import { ErrorCard } from './pieces/error_card'
import { Skeleton } from './pieces/skeleton'

/** What an address may say behind the `?`: text, checked by whoever reads it. */
export type Search = Record<string, string | undefined>

function search(given: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given)
      .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
      .map(([key, value]) => [key, String(value)]),
  )
}

const root = createRootRoute({
  component: Outlet,
  validateSearch: (given): Search => search(given),
  errorComponent: ({ error, reset }) => <ErrorCard error={error} retry={reset} />,
  notFoundComponent: lazyRouteComponent(() => import('./screens/nowhere/nowhere')),
})

const door = createRoute({ getParentRoute: () => root, id: 'door', component: lazyRouteComponent(() => import('./screens/door/door')) })
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Frame,
  beforeLoad: async ({ location }) => {
    try {
      await queries.ensureQueryData(me)
    } catch (error) {
      if (isSignedOut(error)) throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { next: location.href } })
      throw error
    }
  },
})

type Screen = () => Promise<{ default: () => ReactNode }>
const at = <const Path extends string>(path: Path, screen: Screen) =>
  createRoute({ getParentRoute: () => inside, path, component: lazyRouteComponent(screen) })
const before = <const Path extends string>(path: Path, screen: Screen) =>
  createRoute({ getParentRoute: () => door, path, component: lazyRouteComponent(screen) })

export const router = createRouter({
  routeTree: root.addChildren([
    door.addChildren([
      before('/sign-in', () => import('./screens/door/sign_in')),
      before('/setup', () => import('./screens/door/setup')),
      before('/welcome', () => import('./screens/door/welcome')),
    ]),
    inside.addChildren([
      at('/', () => import('./screens/overview/overview')),
      at('/sessions', () => import('./screens/sessions/sessions')),
      at('/sessions/$session', () => import('./screens/session/session')),
      at('/messages', () => import('./screens/messages/messages')),
      at('/webhooks', () => import('./screens/webhooks/webhooks')),
      at('/transports', () => import('./screens/transports/transports')),
      at('/tenants', () => import('./screens/tenants/tenants')),
      at('/tenants/$tenant', () => import('./screens/tenant/tenant')),
      at('/plans', () => import('./screens/plans/plans')),
      at('/invoices', () => import('./screens/invoices/invoices')),
      at('/operators', () => import('./screens/operators/operators')),
      at('/me', () => import('./screens/account/account')),
      at('/audit', () => import('./screens/audit/audit')),
      at('/system', () => import('./screens/system/system')),
    ]),
  ]),
  basepath: '/ui',
  // Plain parameters, as people write and send them.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (given) => {
    const text = new URLSearchParams(Object.entries(search(given))).toString()
    return text ? `?${text}` : ''
  },
  scrollRestoration: true,
  defaultPreload: 'intent',
  defaultPreloadStaleTime: 0,
  defaultPendingMs: 150,
  defaultPendingComponent: () => <Skeleton lines={6} />,
  defaultErrorComponent: ({ error, reset }) => <ErrorCard error={error} retry={reset} />,
})

onSignedOut(() => {
  queries.removeQueries({ queryKey: me.queryKey })
  void router.invalidate()
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
