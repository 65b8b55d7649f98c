import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, got, guarded } from '../../api/client'
import { may, me } from '../../api/door'
import { ErrorCard } from '../../pieces/error_card'
import { TextInput } from '../../pieces/fields'
import { Form } from '../../pieces/form'
import { Section } from '../../pieces/section'
import { Skeleton } from '../../pieces/skeleton'
import { toast } from '../../pieces/toast'
import { t } from '../../words/speak'

/** What is logged, until the process ends. */
export function LogLevel() {
  const { data: self } = useQuery(me)
  const { data, error } = useQuery({
    queryKey: ['log'],
    queryFn: ({ signal }) => got(api.GET('/v1/admin/log', { signal })),
  })
  return (
    <Section title={t('log.title')} note={t('log.note')}>
      {error && <ErrorCard error={error} />}
      {!error && !data && <Skeleton lines={2} />}
      {data && !may(self?.operator.role, 'owner') && <code>{data.level}</code>}
      {data && may(self?.operator.role, 'owner') && <Level key={data.level} level={data.level} />}
    </Section>
  )
}

function Level({ level }: { level: string }) {
  const [text, setText] = useState(level)
  const queries = useQueryClient()
  return (
    <Form
      act={t('do.save')}
      ready={text.trim() !== '' && text !== level}
      send={() => guarded(() => got(api.PUT('/v1/admin/log', { body: { level: text.trim() } })))}
      onSent={() => {
        toast({ text: t('do.saved') })
        void queries.invalidateQueries({ queryKey: ['log'] })
      }}
    >
      {(errorOf) => (
        <TextInput
          label={t('log.level')}
          description={t('log.example')}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          error={errorOf('level')}
          spellCheck={false}
          dir="ltr"
        />
      )}
    </Form>
  )
}
