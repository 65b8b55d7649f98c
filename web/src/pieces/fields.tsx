// What people type into: Mantine's inputs, with the styles of exactly these. They come with the first form that is shown; nothing
// of Mantine is in the first load.

import '../theme/mantine.css'
import '@mantine/core/styles/InlineInput.css'
import '@mantine/core/styles/Input.css'
import '@mantine/core/styles/Checkbox.css'
import '@mantine/core/styles/NumberInput.css'
import '@mantine/core/styles/PasswordInput.css'
import '@mantine/core/styles/SegmentedControl.css'
import '@mantine/core/styles/ActionIcon.css'
import './fields.css'

import { MantineProvider } from '@mantine/core'
import type { ReactNode } from 'react'
import { theme } from '../theme/theme'
import { useScheme } from '../theme/scheme'

export { Checkbox, NativeSelect, NumberInput, PasswordInput, SegmentedControl, Textarea, TextInput } from '@mantine/core'

/** What has fields in it stands in one of these. Variables and classes come from files: the page's policy allows no style elements. */
export function Fields({ children }: { children: ReactNode }) {
  const { shown } = useScheme()
  return (
    <MantineProvider theme={theme} forceColorScheme={shown} withCssVariables={false} withGlobalClasses={false}>
      {children}
    </MantineProvider>
  )
}
