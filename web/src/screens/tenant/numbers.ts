// Numbers as people type them.

const grouping = /[\s().\-\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** A number in E.164, if that is what was meant: with its country code, however it is grouped. */
export function phoneOf(text: string): string | null {
  const bare = text.replaceAll(grouping, '').replace(/^00/, '+')
  return /^\+[1-9]\d{6,14}$/.test(bare) ? bare : null
}

/** Whether a part of a number, or of another name of a person, is in this one. */
export function fits(name: string, part: string): boolean {
  const bare = part.replaceAll(grouping, '').toLowerCase()
  return name.includes(bare) || (bare.startsWith('00') && name.startsWith(`+${bare.slice(2)}`))
}
