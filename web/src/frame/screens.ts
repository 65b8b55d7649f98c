// The screens there are, in the order of the rail: also what the palette and the go-keys know.

import {
  IconActivityHeartbeat,
  IconBuildingStore,
  IconDeviceMobile,
  IconFileInvoice,
  IconHistory,
  IconMessages,
  IconPlugConnected,
  IconServer2,
  IconTag,
  IconUsers,
  IconWebhook,
  type Icon,
} from '@tabler/icons-react'
import type { Key } from '../words/speak'

export interface Screen {
  to: string
  label: Key
  icon: Icon
  /** Pressed after `g`. */
  key: string
}

export const groups: { label: Key; screens: Screen[] }[] = [
  {
    label: 'rail.fleet',
    screens: [
      { to: '/', label: 'overview.title', icon: IconActivityHeartbeat, key: 'o' },
      { to: '/sessions', label: 'sessions.title', icon: IconDeviceMobile, key: 's' },
      { to: '/messages', label: 'messages.title', icon: IconMessages, key: 'm' },
      { to: '/webhooks', label: 'webhooks.title', icon: IconWebhook, key: 'w' },
      { to: '/transports', label: 'transports.title', icon: IconPlugConnected, key: 'r' },
    ],
  },
  {
    label: 'rail.tenants',
    screens: [{ to: '/tenants', label: 'tenants.title', icon: IconBuildingStore, key: 't' }],
  },
  {
    label: 'rail.money',
    screens: [
      { to: '/plans', label: 'plans.title', icon: IconTag, key: 'p' },
      { to: '/invoices', label: 'invoices.title', icon: IconFileInvoice, key: 'i' },
    ],
  },
  {
    label: 'rail.system',
    screens: [
      { to: '/operators', label: 'operators.title', icon: IconUsers, key: 'u' },
      { to: '/audit', label: 'audit.title', icon: IconHistory, key: 'a' },
      { to: '/system', label: 'system.title', icon: IconServer2, key: 'y' },
    ],
  },
]

export const screens = groups.flatMap((group) => group.screens)
