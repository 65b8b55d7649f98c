export interface Change {
  field: string
  /** As text; absent when the field was not there. */
  before?: string
  after?: string
}

/** What differs between two records, by the path of each field. Lists are compared whole. */
export function differ(before: unknown, after: unknown): Change[] {
  const was = flat(before)
  const is = flat(after)
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((field) => was.get(field) !== is.get(field))
    .map((field) => {
      const [old, fresh] = [was.get(field), is.get(field)]
      return { field, ...(old !== undefined && { before: old }), ...(fresh !== undefined && { after: fresh }) }
    })
}

function flat(value: unknown, path = ''): Map<string, string> {
  if (value === null || value === undefined) return new Map()
  if (typeof value !== 'object' || Array.isArray(value)) return new Map([[path || 'value', show(value)]])
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => {
      const at = path ? `${path}.${key}` : key
      return inner !== null && typeof inner === 'object' && !Array.isArray(inner) ? [...flat(inner, at)] : [[at, show(inner)] as const]
    }),
  )
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
