import { t } from '../words/speak'
import { toast } from './toast'

/** Copies a text and says so. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    toast({ text: t('copy.done') })
  } catch {
    // Without https there is no clipboard: then the text at least can be selected.
    toast({ text: t('copy.failed', { text }), tone: 'red' })
  }
}
