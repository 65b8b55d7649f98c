// What Mantine is told. Colours themselves are in colours.css, which sets the variables that these names resolve to.

import { createTheme } from '@mantine/core'

export const theme = createTheme({
  primaryColor: 'cyan',
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'var(--mono)',
})
