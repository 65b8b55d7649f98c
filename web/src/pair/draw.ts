// Elements by hand: text is only ever set as text.

type Child = Node | string | false | null | undefined

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  given: Record<string, string | boolean | ((event: Event) => void)> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else if (typeof value === 'boolean') element.toggleAttribute(name, value)
    else element.setAttribute(name, value)
  }
  element.append(...children.filter((child): child is Node | string => Boolean(child)))
  return element
}

const svg = 'http://www.w3.org/2000/svg'

export function picture(size: number, path: string, label: string): SVGElement {
  const root = document.createElementNS(svg, 'svg')
  root.setAttribute('viewBox', `0 0 ${size} ${size}`)
  root.setAttribute('role', 'img')
  root.setAttribute('aria-label', label)
  root.setAttribute('shape-rendering', 'crispEdges')
  const ground = document.createElementNS(svg, 'rect')
  ground.setAttribute('width', String(size))
  ground.setAttribute('height', String(size))
  ground.setAttribute('fill', '#fff')
  const dark = document.createElementNS(svg, 'path')
  dark.setAttribute('d', path)
  root.append(ground, dark)
  return root
}
