// Views of a list: a name, and the filters that stood in the address. Kept in this browser, for whoever sits at it.

import type { Key } from '../words/speak'
import { Kept, useKept } from './kept'

/** The lists that are long enough for it, by where they are. */
export const lists = { sessions: '/sessions', messages: '/messages', tenants: '/tenants' } as const
export type ListName = keyof typeof lists

export const titles: Record<ListName, Key> = { sessions: 'sessions.title', messages: 'messages.title', tenants: 'tenants.title' }

export interface View {
  list: ListName
  name: string
  search: Record<string, string>
}

/** More than anybody reads through. */
const most = 50
export const longest = 60

/** What is open beside a list is no filter. */
const passing = ['open', 'tab', 'new']

const kept = new Kept('columba.views', (given) => (Array.isArray(given) ? given.filter(isView) : []))

function isView(given: unknown): given is View {
  const { list, name, search } = (given ?? {}) as Partial<View>
  return (
    typeof list === 'string' &&
    Object.hasOwn(lists, list) &&
    typeof name === 'string' &&
    typeof search === 'object' &&
    search !== null &&
    Object.values(search).every((value) => typeof value === 'string')
  )
}

export function useViews(list?: ListName): View[] {
  const all = useKept(kept)
  return list ? all.filter((view) => view.list === list) : all
}

/** What of an address a view remembers. */
export function filtersOf(search: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(search).filter((pair): pair is [string, string] => typeof pair[1] === 'string' && !passing.includes(pair[0])),
  )
}

const same = (one: View, other: View) => one.list === other.list && one.name === other.name

/** By name in its list: the same name again is the view anew. */
export function withView(views: View[], view: View): View[] {
  return [...views.filter((other) => !same(view, other)), view].slice(-most)
}

export function keepView(view: View): void {
  kept.set(withView(kept.get(), view))
}

export function dropView(view: View): void {
  kept.set(kept.get().filter((other) => !same(view, other)))
}
