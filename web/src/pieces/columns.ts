// Which columns of a list somebody wants to see, kept in their browser.

import { Kept, useKept } from './kept'
import type { ListName } from './views'

/** By the key of a column: wanted, or not. Of which nothing is said, it is as the list has it. */
export type Choice = Record<string, boolean>

interface Chosen {
  key: string
  spare?: boolean
}

const kept = new Kept('columba.columns', (given): Partial<Record<ListName, Choice>> => {
  const lists = Object.entries(given && typeof given === 'object' ? given : {}).filter(([, choice]) => choice && typeof choice === 'object')
  return Object.fromEntries(
    lists.map(([list, choice]) => [list, Object.fromEntries(Object.entries(choice as object).filter(([, is]) => typeof is === 'boolean'))]),
  )
})

export function useChoice(list: ListName): Choice {
  return useKept(kept)[list] ?? asItIs
}

const asItIs: Choice = {}

export function choose(list: ListName, choice: Choice): void {
  kept.set({ ...kept.get(), [list]: choice })
}

/** Columns as chosen. The first is the link to the record and stays; one that was asked for stays also where there is little room. */
export function chosen<C extends Chosen>(all: C[], choice: Choice): C[] {
  return all
    .filter((column, at) => at === 0 || choice[column.key] !== false)
    .map((column) => (column.spare && choice[column.key] ? { ...column, spare: false } : column))
}

/** The choice after one more press. */
export function pressed(all: Chosen[], choice: Choice, key: string, tight: boolean): Choice {
  return { ...choice, [key]: !isShown(all, choice, key, tight) }
}

export function isShown(all: Chosen[], choice: Choice, key: string, tight: boolean): boolean {
  return chosen(all, choice).some((column) => column.key === key && !(tight && column.spare))
}
