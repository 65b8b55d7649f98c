import { expect, test } from 'vitest'
import { filtersOf, withView, type View } from './views'

const view = (name: string, search: Record<string, string> = {}): View => ({ list: 'sessions', name, search })

test('a view remembers filters and order, and not what was open beside them', () => {
  expect(filtersOf({ status: 'parked', sort: 'since', open: 'msg_1', tab: 'past', new: '1', q: undefined })).toEqual({
    status: 'parked',
    sort: 'since',
  })
})

test('the same name in the same list is the view anew', () => {
  const views = [view('stuck', { status: 'parked' }), { ...view('stuck'), list: 'messages' as const }]
  expect(withView(views, view('stuck', { status: 'quarantined' }))).toEqual([views[1], view('stuck', { status: 'quarantined' })])
})

test('the oldest go when there are more than anybody reads', () => {
  const views = Array.from({ length: 60 }, (_, at) => view(`${at}`)).reduce(withView, [] as View[])
  expect([views.length, views[0]?.name]).toEqual([50, '10'])
})
