// What Mantine is told. Colours themselves are in colours.css, which sets the variables that these names resolve to.

import { createTheme } from '@mantine/core'

export const theme = createTheme({
  primaryColor: 'cyan',
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'var(--mono)',
  components: {
    // Locking the scroll would add a style element, which the page's policy forbids; `overscroll-behavior` does instead.
    Modal: { defaultProps: { lockScroll: false, centered: true, transitionProps: { duration: 140, transition: 'fade' } } },
    Drawer: { defaultProps: { lockScroll: false, transitionProps: { duration: 140 } } },
    Button: { defaultProps: { size: 'xs', loaderProps: { type: 'dots' } } },
    TextInput: { defaultProps: { size: 'sm' } },
    NativeSelect: { defaultProps: { size: 'sm' } },
  },
})
