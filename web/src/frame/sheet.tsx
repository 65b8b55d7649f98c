import { Dialog } from '../pieces/dialog'
import { t } from '../words/speak'
import { screens } from './screens'
import css from './sheet.module.css'

/** The keys there are. */
export default function Sheet({ onClose }: { onClose: () => void }) {
  const rows: [string[], string][] = [
    [['Ctrl', 'K'], t('sheet.palette')],
    [['/'], t('sheet.palette')],
    [['?'], t('sheet.this')],
    [['['], t('rail.fold')],
    [['j'], t('sheet.down')],
    [['k'], t('sheet.up')],
    [['Enter'], t('sheet.open')],
    [['Esc'], t('sheet.close')],
  ]
  return (
    <Dialog title={t('sheet.title')} onClose={onClose} wide>
      <div className={css.sheet}>
        <dl>
          {screens.map((screen) => (
            <div key={screen.to}>
              <dt>
                <kbd>g</kbd> <kbd>{screen.key}</kbd>
              </dt>
              <dd>{t(screen.label)}</dd>
            </div>
          ))}
        </dl>
        <dl>
          {rows.map(([keys, words]) => (
            <div key={keys.join()}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  )
}
