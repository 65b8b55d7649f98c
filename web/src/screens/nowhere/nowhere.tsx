import { Link } from '@tanstack/react-router'
import { Empty } from '../../pieces/empty'
import { t } from '../../words/speak'

export default function Nowhere() {
  return (
    <main>
      <h1 className="unseen">{t('nowhere.text')}</h1>
      <Empty text={t('nowhere.text')}>
        <Link to="/">{t('nowhere.home')}</Link>
      </Empty>
    </main>
  )
}
