import { expect, test } from 'vitest'
import { Keys, type Stroke } from './keys'

function press(keys: Keys, key: string, over: Partial<Stroke> = {}) {
  return keys.press({ key, command: false, typing: false, at: 0, ...over })
}

test('g and a letter within the time go somewhere, and later they do not', () => {
  const keys = new Keys()
  expect(press(keys, 'g')).toBeNull()
  expect(press(keys, 's', { at: 1_200 })).toEqual({ do: 'go', key: 's' })
  expect(press(keys, 's', { at: 1_300 })).toBeNull()
  press(keys, 'g', { at: 2_000 })
  expect(press(keys, 's', { at: 3_201 })).toBeNull()
})

test('keys that went into a field mean nothing, but the palette opens from anywhere', () => {
  const keys = new Keys()
  for (const key of ['g', '?', '/', '[']) expect(press(keys, key, { typing: true })).toBeNull()
  expect(press(keys, 'k', { typing: true, command: true })).toEqual({ do: 'palette' })
})

test.each([
  ['/', 'palette'],
  ['?', 'sheet'],
  ['[', 'rail'],
])('%s opens the %s', (key, what) => {
  expect(press(new Keys(), key)).toEqual({ do: what })
})
