import { expect, test } from 'vitest'
import openapi from '../../../../docs/openapi.json'
import { all, covers, families, pressed, type Pattern } from './events'

test('every event there is can be chosen, but for the test that goes to an endpoint unasked', () => {
  const known = openapi.components.schemas.EventPattern.enum.filter((one) => one !== 'webhook.test')
  expect([all, ...families.flatMap(({ family, events }) => [family, ...events])].toSorted()).toEqual(known.toSorted())
})

test('everything covers each event, a family its own only', () => {
  expect(covers([all], 'message.read')).toBe(true)
  expect([covers(['message.*'], 'message.read'), covers(['message.*'], 'session.parked')]).toEqual([true, false])
})

test('one less than everything is all other families, and the others of its own', () => {
  const left = pressed([all], 'invoice.paid')
  expect(covers(left, 'invoice.paid')).toBe(false)
  expect(covers(left, 'invoice.issued')).toBe(true)
  for (const { family } of families.filter(({ family }) => family !== 'invoice.*')) expect(left).toContain(family)
})

test('a family takes the place of its single events', () => {
  expect(pressed(['message.read', 'session.parked', 'message.sent'], 'message.*')).toEqual(['session.parked', 'message.*'])
})

test('a press turns what is covered off and what is not on, from wherever one comes', () => {
  let patterns: Pattern[] = [all]
  const every = families.flatMap(({ family, events }) => [family, ...events])
  const wrong: string[] = []
  // Not by chance, but through some thousand states.
  for (let step = 0; step < 5_000; step += 1) {
    const wanted = every[(step * 7919 + (step >> 3)) % every.length] as Pattern
    const before = covers(patterns, wanted)
    patterns = pressed(patterns, wanted)
    if (covers(patterns, wanted) === before || new Set(patterns).size !== patterns.length) wrong.push(`${step} ${wanted}`)
  }
  expect(wrong).toEqual([])
})
