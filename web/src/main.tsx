import './theme/colours.css'
import './theme/page.css'

import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { queries } from './api/queries'
import { useLanguage } from './frame/language'
import { router } from './routes'
import { shown } from './theme/scheme'
import { from, preferred, speak } from './words/speak'
import { files } from './words/ui'

function Page() {
  const language = useLanguage()
  return (
    <QueryClientProvider client={queries}>
      <RouterProvider key={language} router={router} />
    </QueryClientProvider>
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
