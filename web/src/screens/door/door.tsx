// What stands around the pages before anybody is signed in.

import { IconLanguage } from '@tabler/icons-react'
import { Outlet } from '@tanstack/react-router'
import { Looks } from '../../frame/account'
import { Menu } from '../../pieces/menu'
import { TipLayer } from '../../pieces/tip'
import { ToastLayer } from '../../pieces/toast'
import { t } from '../../words/speak'
import css from './door.module.css'

export default function Door() {
  return (
    <div className={css.door}>
      <div className={css.looks}>
        <Menu label={t('door.looks')} button={<IconLanguage size={20} stroke={1.6} aria-hidden />}>
          <Looks />
        </Menu>
      </div>
      <main className={css.card}>
        <div className={css.brand}>
          <img src="/ui/mark.svg" alt="" width={30} height={30} />
          <span>Columba</span>
        </div>
        <Outlet />
      </main>
      <footer className={css.honest}>{t('door.honest')}</footer>
      <TipLayer />
      <ToastLayer />
    </div>
  )
}
