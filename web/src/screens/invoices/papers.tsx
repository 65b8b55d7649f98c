import { IconDownload, IconExternalLink } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { api, got } from '../../api/client'
import { Button, Buttons } from '../../pieces/button'
import { causeOf } from '../../pieces/error_card'
import { save } from '../../pieces/save'
import { toast } from '../../pieces/toast'
import { t } from '../../words/speak'
import css from './papers.module.css'

type Path = '/v1/admin/invoices/{id}' | '/v1/admin/credit-notes/{id}'

/** A paper as its customer gets it: the page, which a browser asks for by itself, and the document. */
export function Papers({ path, id, number }: { path: Path; id: string; number: string }) {
  const fetched = useMutation({
    mutationFn: () =>
      got(api.GET(path, { params: { path: { id } }, headers: { Accept: 'application/pdf' }, parseAs: 'blob' })) as Promise<Blob>,
    onSuccess: (document) => save(`${number}.pdf`, document),
    onError: (error) => toast({ text: causeOf(error), tone: 'red' }),
  })
  return (
    <Buttons>
      <a className={css.page} href={path.replace('{id}', id)} target="_blank" rel="noreferrer" aria-label={t('papers.page.of', { number })}>
        <IconExternalLink size={15} stroke={1.9} aria-hidden /> {t('papers.page')}
      </a>
      <Button
        icon={IconDownload}
        look="quiet"
        busy={fetched.isPending}
        aria-label={t('papers.pdf.of', { number })}
        onClick={() => fetched.mutate()}
      >
        PDF
      </Button>
    </Buttons>
  )
}
