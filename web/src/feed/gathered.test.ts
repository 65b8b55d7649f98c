import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Gathered } from './gathered'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

test('the first is done at once, the rest of a burst together a beat later', () => {
  const done: string[][] = []
  const gathered = new Gathered(1_000, (keys) => done.push([...keys]))
  for (const key of ['a', 'b', 'c', 'b']) gathered.add(key)
  expect(done).toEqual([['a']])
  vi.advanceTimersByTime(1_000)
  expect(done).toEqual([['a'], ['b', 'c']])
  vi.advanceTimersByTime(1_000)
  gathered.add('d')
  expect(done.at(-1)).toEqual(['d'])
})

test('what was stopped is not done', () => {
  const done: string[][] = []
  const gathered = new Gathered(1_000, (keys) => done.push([...keys]))
  gathered.add('a')
  gathered.add('b')
  gathered.stop()
  vi.advanceTimersByTime(5_000)
  expect(done).toEqual([['a']])
})
