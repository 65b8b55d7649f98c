import { describe, expect, test } from 'vitest'
import type { MessageRecord } from '../../api/records'
import { toCsv } from './export'
import { mintedAt } from './newer'
import { sought } from './sought'

test.each([
  ['', {}],
  ['  ', {}],
  ['msg_019a2b3c4d5e7f808192a3b4c5d6e7f3', { id: 'msg_019a2b3c4d5e7f808192a3b4c5d6e7f3' }],
  ['+1 (555) 123-0001', { chat: '+15551230001' }],
  ['15551230001', { chat: '+15551230001' }],
  ['1203630250@g.us', { chat: '1203630250@g.us' }],
  ['3EB001A202B2C5005EED5EED', { wa_id: '3EB001A202B2C5005EED5EED' }],
  ['order-4711', { client_ref: 'order-4711' }],
])('a search for %j looks for %j', (text, query) => {
  expect(sought(text)).toEqual(query)
})

test('an id says when it was minted', () => {
  expect(mintedAt('msg_019a2b3c4d5e7f808192a3b4c5d6e7f3')).toBe(new Date(0x019a2b3c4d5e).toISOString())
})

describe('an export', () => {
  const row = (over: object) => ({ id: 'msg_1', times: { queued: 'a' }, ...over }) as unknown as MessageRecord

  test('has a column for every stop that any row reached', () => {
    const [head] = toCsv([row({}), row({ times: { queued: 'a', sent: 'b' } })]).split('\r\n')
    expect(head?.endsWith('queued,sent')).toBe(true)
  })

  test.each([
    ['=1+1', "'=1+1"],
    ['+15551230001', "'+15551230001"],
    ['-2', "'-2"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['=a,"b"', '"\'=a,""b"""'],
  ])('makes %j no formula and no second cell', (given, written) => {
    expect(toCsv([row({ client_ref: given })])).toContain(`,${written},`)
  })
})
