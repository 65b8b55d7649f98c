import type { Files } from './speak'

/** The admin UI's words. */
export const files = import.meta.glob('./*.json') as Files
