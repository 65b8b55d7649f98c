// What somebody sets up about a list for themselves: its columns, and views of it by name.

import { IconBookmark, IconCheck, IconColumns3, IconTrash } from '@tabler/icons-react'
import { Link, useSearch, type LinkProps } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { t } from '../words/speak'
import { choose, isShown, pressed, useChoice } from './columns'
import css from './list_tools.module.css'
import { Menu } from './menu'
import menu from './menu.module.css'
import { useNarrow, useTight } from './narrow'
import square from './square.module.css'
import type { Column } from './table'
import { dropView, filtersOf, lists, useViews, type ListName } from './views'

const KeepView = lazy(() => import('./keep_view'))

/** `within` is a list that stands in another screen: it has columns, and no address of its own for views. */
export function ListTools<R>({ list, columns, within = false }: { list: ListName; columns: Column<R>[]; within?: boolean }) {
  return (
    <div className={css.tools}>
      {!within && <Views list={list} />}
      <Columns list={list} columns={columns} />
    </div>
  )
}

function Columns<R>({ list, columns }: { list: ListName; columns: Column<R>[] }) {
  const choice = useChoice(list)
  const tight = useTight()
  // Of a card on a phone there are fewer to choose from.
  const narrow = useNarrow()
  const offered = columns.slice(1).filter((column) => !narrow || column.narrow !== 'hide')
  return (
    <Menu
      look="words"
      label={t('columns.title')}
      button={
        <>
          <IconColumns3 size={15} stroke={1.9} aria-hidden /> {t('columns.title')}
        </>
      }
    >
      {offered.map(({ key, head }) => {
        const shown = isShown(columns, choice, key, tight)
        return (
          <button
            key={key}
            type="button"
            role="menuitemcheckbox"
            aria-checked={shown}
            className={menu.item}
            onClick={() => choose(list, pressed(columns, choice, key, tight))}
          >
            <span className={menu.tick}>{shown && <IconCheck size={15} aria-hidden />}</span>
            {head}
          </button>
        )
      })}
      {Object.keys(choice).length > 0 && (
        <button type="button" role="menuitem" className={menu.item} onClick={() => choose(list, {})}>
          <span className={menu.tick} />
          {t('columns.reset')}
        </button>
      )}
    </Menu>
  )
}

function Views({ list }: { list: ListName }) {
  const views = useViews(list)
  const filters = filtersOf(useSearch({ strict: false }) as Record<string, unknown>)
  const [keeping, setKeeping] = useState(false)
  const any = Object.keys(filters).length > 0
  return (
    <>
      <Menu
        look="words"
        label={t('views.title')}
        button={
          <>
            <IconBookmark size={15} stroke={1.9} aria-hidden /> {t('views.title')}
          </>
        }
      >
        {views.map((view) => (
          <div key={view.name} role="none" className={css.view}>
            <Link {...({ to: lists[list], search: view.search } as LinkProps)} role="menuitem" className={menu.item}>
              <bdi className={css.name}>{view.name}</bdi>
            </Link>
            <button
              type="button"
              role="menuitem"
              className={`${square.button} ${css.drop}`}
              aria-label={t('views.drop', { name: view.name })}
              data-tip={t('views.drop', { name: view.name })}
              onClick={() => dropView(view)}
            >
              <IconTrash size={15} aria-hidden />
            </button>
          </div>
        ))}
        <button
          type="button"
          role="menuitem"
          className={menu.item}
          aria-disabled={any ? undefined : true}
          onClick={() => any && setKeeping(true)}
        >
          {any ? t('views.keep') : t('views.empty')}
        </button>
      </Menu>
      {keeping && (
        <Suspense>
          <KeepView list={list} search={filters} onClose={() => setKeeping(false)} />
        </Suspense>
      )}
    </>
  )
}
