import { expect, test } from 'vitest'
import { fits, phoneOf } from './numbers'

test.each([
  ['+15551230001', '+15551230001'],
  [' +1 (555) 123-0001 ', '+15551230001'],
  ['0044 20 7946 0018', '+442079460018'],
  // As it is copied out of a message in Arabic.
  ['\u202a+15551230001\u202c', '+15551230001'],
])('%j is a number', (text, number) => expect(phoneOf(text)).toBe(number))

test.each(['', '15551230001', '+0155512300', '+123456', '+1555123000100000', '+1555x230001', '120363000000000001@g.us'])(
  '%j is none',
  (text) => expect(phoneOf(text)).toBeNull(),
)

test('a part of a number finds it, however it is grouped', () => {
  expect(['555 123', '+1 555', '0001'].map((part) => fits('+15551230001', part))).toEqual([true, true, true])
  expect(fits('+15551230001', '444')).toBe(false)
})
