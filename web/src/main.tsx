import './theme/mantine.css'
import './theme/colours.css'
import './theme/page.css'

import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { queries } from './api/queries'
import { useLanguage } from './frame/language'
import { router } from './routes'
import { shown, useScheme } from './theme/scheme'
import { theme } from './theme/theme'
import { from, preferred, speak } from './words/speak'
import { files } from './words/ui'

function Page() {
  const language = useLanguage()
  const scheme = useScheme()
  return (
    // Its variables and classes come from files: the page's policy allows no style elements.
    <MantineProvider
      theme={theme}
      forceColorScheme={scheme.shown}
      withCssVariables={false}
      withStaticClasses={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queries}>
        <RouterProvider key={language} router={router} />
      </QueryClientProvider>
    </MantineProvider>
  )
}

document.documentElement.setAttribute('data-mantine-color-scheme', shown())
from(files)
void speak(preferred()).then(() => {
  const root = document.getElementById('root')
  if (root) {
    createRoot(root).render(
      <StrictMode>
        <Page />
      </StrictMode>,
    )
  }
})
