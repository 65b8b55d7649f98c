import { expect, test } from 'vitest'
import { differ } from './differ'

test.each([
  ['nothing changed', { a: 1 }, { a: 1 }, []],
  ['a field changed', { a: 1, b: 2 }, { a: 1, b: 3 }, [{ field: 'b', before: '2', after: '3' }]],
  ['a thing was made', null, { name: 'shop' }, [{ field: 'name', after: 'shop' }]],
  ['a thing went', { name: 'shop' }, null, [{ field: 'name', before: 'shop' }]],
  ['a field within a field', { a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 } }, [{ field: 'a.c', before: '2', after: '3' }]],
  ['a list is one value', { a: [1, 2] }, { a: [1] }, [{ field: 'a', before: '[1,2]', after: '[1]' }]],
  ['null is a value', { a: null }, { a: 1 }, [{ field: 'a', before: 'null', after: '1' }]],
  ['plain text', 'old', 'new', [{ field: 'value', before: 'old', after: 'new' }]],
])('%s', (_, before, after, changes) => {
  expect(differ(before, after)).toEqual(changes)
})
