import { Link } from '@tanstack/react-router'
import { Empty } from '../../pieces/empty'
import { t } from '../../words/speak'

export default function Nowhere() {
  return (
    <Empty text={t('nowhere.text')}>
      <Link to="/">{t('nowhere.home')}</Link>
    </Empty>
  )
}
