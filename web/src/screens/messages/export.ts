// What is shown, as a file. A spreadsheet takes a cell that begins with one of `=+-@` for a formula: such get an apostrophe.

import type { MessageRecord } from '../../api/records'

const fields = ['id', 'session', 'direction', 'chat', 'type', 'status', 'reason', 'wa_id', 'client_ref', 'attempts'] as const

export function toCsv(rows: MessageRecord[]): string {
  const stops = [...new Set(rows.flatMap((row) => Object.keys(row.times as object)))]
  const head = [...fields, ...stops]
  const lines = rows.map((row) => {
    const times = row.times as Record<string, string>
    return [...fields.map((field) => row[field]), ...stops.map((stop) => times[stop])].map(cell).join(',')
  })
  return [head.join(','), ...lines].join('\r\n')
}

function cell(value: unknown): string {
  const text = value == null ? '' : String(value)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

export function csvFile(rows: MessageRecord[]): Blob {
  return new Blob([toCsv(rows)], { type: 'text/csv;charset=utf-8' })
}
