// What `data-tip` says, shown beside whatever has it: one element for the whole page, for the pointer and for the keyboard.

import { useEffect, useRef, useState } from 'react'
import css from './tip.module.css'

interface Shown {
  text: string
  x: number
  y: number
  below: boolean
}

const delayMs = 250

export function TipLayer() {
  const [shown, setShown] = useState<Shown | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)

  useEffect(() => {
    const show = (target: EventTarget | null, wait: number) => {
      const owner = target instanceof Element ? target.closest<HTMLElement>('[data-tip]') : null
      clearTimeout(timer.current)
      if (!owner) {
        setShown(null)
        return
      }
      timer.current = setTimeout(() => {
        const box = owner.getBoundingClientRect()
        const below = box.top < 48
        const text = owner.dataset['tip']
        if (text) setShown({ text, x: box.left + box.width / 2, y: below ? box.bottom : box.top, below })
      }, wait)
    }
    const over = (event: PointerEvent) => event.pointerType === 'mouse' && show(event.target, delayMs)
    const focus = (event: FocusEvent) => event.target instanceof Element && event.target.matches(':focus-visible') && show(event.target, 0)
    const hide = () => show(null, 0)
    const key = (event: KeyboardEvent) => event.key === 'Escape' && hide()
    document.addEventListener('pointerover', over)
    document.addEventListener('focusin', focus)
    document.addEventListener('focusout', hide)
    document.addEventListener('pointerdown', hide)
    document.addEventListener('keydown', key)
    document.addEventListener('scroll', hide, true)
    return () => {
      clearTimeout(timer.current)
      document.removeEventListener('pointerover', over)
      document.removeEventListener('focusin', focus)
      document.removeEventListener('focusout', hide)
      document.removeEventListener('pointerdown', hide)
      document.removeEventListener('keydown', key)
      document.removeEventListener('scroll', hide, true)
    }
  }, [])

  if (!shown) return null
  const x = Math.min(Math.max(shown.x, 8), window.innerWidth - 8)
  const anchor = x < 160 ? 'start' : x > window.innerWidth - 160 ? 'end' : 'middle'
  return (
    <div role="tooltip" className={css.tip} data-below={shown.below} data-anchor={anchor} style={{ left: x, top: shown.y }}>
      {shown.text}
    </div>
  )
}
