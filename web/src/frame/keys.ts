// Keys that go somewhere, as a pure reader of what was pressed.

export type Pressed = { do: 'go'; key: string } | { do: 'palette' } | { do: 'sheet' } | { do: 'rail' } | null

export interface Stroke {
  key: string
  command: boolean
  /** Whether the key went into a field. */
  typing: boolean
  at: number
}

/** How long after `g` the next key still belongs to it. */
const patienceMs = 1_200

export class Keys {
  #g = -Infinity

  press({ key, command, typing, at }: Stroke): Pressed {
    if (command) {
      this.#g = -Infinity
      return key.toLowerCase() === 'k' ? { do: 'palette' } : null
    }
    if (typing) return null
    const waiting = at - this.#g <= patienceMs
    this.#g = -Infinity
    if (waiting) return { do: 'go', key: key.toLowerCase() }
    switch (key) {
      case 'g':
        this.#g = at
        return null
      case '/':
        return { do: 'palette' }
      case '?':
        return { do: 'sheet' }
      case '[':
        return { do: 'rail' }
      default:
        return null
    }
  }
}
