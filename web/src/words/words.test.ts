import { afterAll, describe, expect, test } from 'vitest'
import type { SessionRecord } from '../api/records'
import { duration, money, percent } from './amounts'
import ar from './ar.json'
import en from './en.json'
import es from './es.json'
import hi from './hi.json'
import pairAr from './pair/ar.json'
import pairEn from './pair/en.json'
import pairEs from './pair/es.json'
import pairHi from './pair/hi.json'
import pairPt from './pair/pt.json'
import pt from './pt.json'
import { explainMessage, explainSession } from './sentences'
import { languages, said, use, type Language } from './speak'

const files: Record<Language, Record<string, string>> = { en, pt, es, hi, ar }
const pair: Record<Language, Record<string, string>> = { en: pairEn, pt: pairPt, es: pairEs, hi: pairHi, ar: pairAr }
const all = Object.keys(languages) as Language[]
const others = all.filter((language) => language !== 'en')

const suffix = /_(zero|one|two|few|many|other)$/
const stems = (file: Record<string, string>) => [...new Set(Object.keys(file).map((key) => key.replace(suffix, '')))].toSorted()
const named = (text: string) => [...new Set(text.match(/\{\{\w+\}\}/g) ?? [])].toSorted()

afterAll(() => use('en', en))

describe.each(others)('%s', (language) => {
  test.each([
    ['the admin UI', files],
    ['the pairing page', pair],
  ])('has every word of %s, and no other', (_, set) => {
    expect(stems(set[language])).toEqual(stems(set.en))
  })

  test('has a form for every number', () => {
    const wanted = new Intl.PluralRules(language).resolvedOptions().pluralCategories
    // Millions have a form of their own in Spanish and Portuguese; nothing here counts that far without its unit.
    const needed = wanted.filter((form) => form !== 'many' || language === 'ar')
    for (const key of Object.keys(en).filter((key) => key.endsWith('_other'))) {
      const stem = key.replace(suffix, '')
      expect(
        needed.filter((form) => files[language][`${stem}_${form}`] === undefined),
        stem,
      ).toEqual([])
    }
  })

  test('says the same things, with the same values in them', () => {
    for (const [set, english] of [
      [files, en],
      [pair, pairEn],
    ] as [typeof files, Record<string, string>][]) {
      for (const [key, text] of Object.entries(set[language])) {
        const stem = key.replace(suffix, '')
        const original = english[key] ?? english[`${stem}_other`] ?? ''
        expect(text === '', key).toBe(original === '')
        // A form for one or two may say the number as a word.
        const optional = /_(zero|one|two)$/.test(key) ? ['{{count}}'] : []
        expect(
          named(original).filter((value) => !named(text).includes(value) && !optional.includes(value)),
          key,
        ).toEqual([])
        expect(
          named(text).filter((value) => !named(original).includes(value)),
          key,
        ).toEqual([])
      }
    }
  })
})

const statuses = ['stopped', 'starting', 'pairing', 'connected', 'reconnecting', 'parked', 'logged_out', 'quarantined'] as const
const reasons = Object.keys(en)
  .filter((key) => key.startsWith('session.reason.'))
  .map((key) => key.slice('session.reason.'.length))

describe.each(all)('in %s', (language) => {
  test('every state and reason of a session is a sentence, and never a bare code', () => {
    use(language, files[language])
    for (const status of statuses) {
      for (const reason of [null, ...reasons] as SessionRecord['reason'][]) {
        const session = { status, reason, since: '2026-11-30T12:00:00.000Z', restriction: null, paired: true }
        const { what, does, cure } = explainSession(session, Date.parse('2026-11-30T12:03:00.000Z'))
        const told = `${what} ${does} ${cure}`
        expect(what, `${status} ${reason}`).toMatch(/[.।]$/)
        expect(does, `${status} ${reason}`).toMatch(/[.।]$/)
        expect(told).not.toMatch(/\{\{|_|undefined|NaN/)
      }
    }
  })

  test('every state and reason of a message is a sentence', () => {
    use(language, files[language])
    const means = Object.keys(en).filter((key) => key.startsWith('message.means.'))
    const why = Object.keys(en).filter((key) => key.startsWith('message.why.'))
    for (const status of means.map((key) => key.slice('message.means.'.length))) {
      for (const reason of [null, ...why.map((key) => key.slice('message.why.'.length))]) {
        const told = explainMessage(
          { status, reason, hold: null, expires_at: null } as Parameters<typeof explainMessage>[0],
          Date.parse('2026-11-30T12:00:00.000Z'),
        )
        expect(told.trim(), `${status} ${reason}`).toMatch(/[.।]$/)
        expect(told).not.toMatch(/\{\{|undefined|message\.[a-z]/)
      }
    }
  })
})

test('plurals follow the language', () => {
  use('ar', ar)
  const forms = [1, 2, 3, 11, 100].map((count) => said('count.sessions', { count }))
  expect(new Set(forms).size).toBe(5)
  use('en', en)
  expect([0, 1, 2].map((count) => said('count.sessions', { count }))).toEqual(['0 sessions', '1 session', '2 sessions'])
})

test('what has no word is said as it is', () => {
  use('en', en)
  expect(said('rule.something_new')).toBe('rule.something_new')
})

test('a value is text, and never read as another placeholder', () => {
  use('en', en)
  expect(said('copy.what', { what: '{{count}} <b>' })).toBe('Copy {{count}} <b>')
})

test.each([
  [0, '0 ms'],
  [842, '842 ms'],
  [4_200, '4.2 sec'],
  [59_900, '59 sec'],
  [3_600_000, '1 hr'],
  [3_661_000, '1 hr 1 min'],
  [86_400_000 + 61_000, '1 day'],
])('%i ms are %s', (ms, words) => {
  use('en', en)
  expect(duration(ms)).toBe(words)
})

test('money has the digits its currency has', () => {
  use('en', en)
  expect([money(1_999, 'EUR'), money(1_999, 'JPY'), money(1_999, 'KWD'), money(-5, 'EUR')]).toEqual([
    '€19.99',
    '¥1,999',
    'KWD\u00a01.999',
    '-€0.05',
  ])
})

test('a share of nothing is nothing', () => {
  use('en', en)
  expect([percent(0, 0), percent(1, 3), percent(1, 200)]).toEqual(['0%', '33%', '0.5%'])
})
