import { IconCheck, IconLogout, IconUser, IconUserCircle } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { me } from '../api/door'
import { Menu } from '../pieces/menu'
import menu from '../pieces/menu.module.css'
import { choose, useScheme, type Scheme } from '../theme/scheme'
import { languages, said, speak, spoken, t, type Language } from '../words/speak'
import css from './frame.module.css'
import { signOut } from './sign_out'

/** Who is signed in, and how things are shown to them. */
export function Account() {
  const { data } = useQuery(me)
  return (
    <Menu label={t('account.menu')} button={<IconUserCircle size={20} stroke={1.6} aria-hidden />}>
      {data && (
        <div className={css.who}>
          <strong>{data.operator.name}</strong>
          <span className="small dim">
            {data.operator.email} · {said(`role.${data.operator.role}`)}
          </span>
        </div>
      )}
      <Link to="/me" role="menuitem" className={menu.item}>
        <IconUser size={15} aria-hidden /> {t('account.title')}
      </Link>
      <Looks />
      <button type="button" role="menuitem" className={menu.item} onClick={() => void signOut()}>
        <IconLogout size={15} aria-hidden /> {t('account.out')}
      </button>
    </Menu>
  )
}

/** Theme and language: also on the pages before signing in. */
export function Looks() {
  const { scheme } = useScheme()
  return (
    <>
      <div className={css.group} role="group" aria-label={t('theme.label')}>
        {(['auto', 'light', 'dark'] as Scheme[]).map((one) => (
          <button
            key={one}
            type="button"
            role="menuitemradio"
            aria-checked={scheme === one}
            className={css.choice}
            onClick={() => choose(one)}
          >
            {said(`theme.${one}`)}
          </button>
        ))}
      </div>
      <div role="group" aria-label={t('language.label')}>
        {(Object.keys(languages) as Language[]).map((one) => (
          <button
            key={one}
            type="button"
            role="menuitemradio"
            aria-checked={spoken() === one}
            className={menu.item}
            onClick={() => void speak(one, true)}
          >
            <span className={menu.tick}>{spoken() === one && <IconCheck size={15} aria-hidden />}</span>
            <span lang={one}>{languages[one].name}</span>
            {languages[one].machine && <span className="small dim">{t('language.machine')}</span>}
          </button>
        ))}
      </div>
    </>
  )
}
