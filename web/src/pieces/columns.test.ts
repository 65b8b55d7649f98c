import { expect, test } from 'vitest'
import { chosen, isShown, pressed } from './columns'

const all = [{ key: 'label' }, { key: 'since' }, { key: 'engine', spare: true }]
const keys = (columns: { key: string }[]) => columns.map(({ key }) => key)

test('without a choice a list is as it is made', () => {
  expect(chosen(all, {})).toEqual(all)
})

test('the first column leads to the record, and stays whatever was chosen', () => {
  expect(keys(chosen(all, { label: false, since: false }))).toEqual(['label', 'engine'])
})

test('a column that was asked for stays where there is little room', () => {
  expect(isShown(all, {}, 'engine', true)).toBe(false)
  const choice = pressed(all, {}, 'engine', true)
  expect(isShown(all, choice, 'engine', true)).toBe(true)
  expect(chosen(all, choice).at(-1)?.spare).toBe(false)
})

test('a press twice is none', () => {
  const once = pressed(all, {}, 'since', false)
  expect(isShown(all, once, 'since', false)).toBe(false)
  expect(isShown(all, pressed(all, once, 'since', false), 'since', false)).toBe(true)
})

test('what a later version adds is shown to who chose before it', () => {
  const choice = pressed(all, {}, 'since', false)
  expect(keys(chosen([...all, { key: 'load' }], choice))).toContain('load')
})
