// Words in the language that was chosen. The files are i18next's format (`{{name}}`, plurals by suffix), so that any translator's
// tool reads them; the library itself is 16 kB of what a first load may weigh, and this is the part of it that is used.

import type en from './en.json'

type Written = keyof typeof en
type Stem<K> = K extends `${infer S}_${'zero' | 'one' | 'two' | 'few' | 'many' | 'other'}` ? S : K
/** What can be said: a key of `en.json`, without the suffix of its plural. */
export type Key = Stem<Written>
export type Values = Record<string, string | number>

export const languages = {
  en: { name: 'English', machine: false },
  pt: { name: 'Português', machine: true },
  es: { name: 'Español', machine: true },
  hi: { name: 'हिन्दी', machine: true },
  ar: { name: 'العربية', machine: true },
} as const
export type Language = keyof typeof languages

/** Where a page's words are: a file for each language, loaded when it is spoken. */
export type Files = Record<string, () => Promise<{ default: Record<string, string> }>>

const kept = 'columba.language'

let files: Files = {}

let language: Language = 'en'
let words: Record<string, string> = {}
let locale = 'en'
let plurals = new Intl.PluralRules('en')
let numbers = new Intl.NumberFormat('en')

export function spoken(): Language {
  return language
}

/** For `Intl`: digits stay Latin, since ids and codes among them do. */
export function intl(): string {
  return locale
}

export function direction(of: Language = language): 'ltr' | 'rtl' {
  return of === 'ar' ? 'rtl' : 'ltr'
}

/** What was chosen in this browser, else the first of the browser's own that there is. */
export function preferred(): Language {
  const wanted = [localStorage.getItem(kept) ?? '', ...navigator.languages].map((tag) => tag.slice(0, 2))
  return wanted.find((tag): tag is Language => tag in languages) ?? 'en'
}

/** Says where the words are, once a page. */
export function from(source: Files): void {
  files = source
}

export async function speak(chosen: Language, remember = false): Promise<void> {
  const load = Object.entries(files).find(([name]) => name.endsWith(`/${chosen}.json`))?.[1]
  if (load) use(chosen, (await load()).default)
  if (remember) localStorage.setItem(kept, chosen)
  document.documentElement.lang = chosen
  document.documentElement.dir = direction()
}

/** Takes a file as it is: `speak` does, and so do tests. */
export function use(chosen: Language, file: Record<string, string>): void {
  language = chosen
  words = file
  locale = `${chosen === 'pt' ? 'pt-BR' : chosen}-u-nu-latn`
  plurals = new Intl.PluralRules(chosen)
  numbers = new Intl.NumberFormat(locale)
}

export function has(key: string): boolean {
  return key in words
}

export function t(key: Key, values?: Values): string {
  return said(key, values)
}

/** The same for keys that are put together; those of which there is no word are said as they are. */
export function said(key: string, values: Values = {}): string {
  const count = values['count']
  const text =
    (typeof count === 'number' ? (words[`${key}_${plurals.select(count)}`] ?? words[`${key}_other`]) : undefined) ?? words[key] ?? key
  return text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name]
    if (typeof value === 'number') return numbers.format(value)
    // A name in Latin letters would turn around what stands beside it: it is isolated, as `bdi` does where there are elements.
    return value === undefined || direction() === 'ltr' ? (value ?? '') : `\u2068${value}\u2069`
  })
}
