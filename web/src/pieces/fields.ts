// What people type into: Mantine's inputs, with the styles of exactly these.

import '@mantine/core/styles/InlineInput.css'
import '@mantine/core/styles/Input.css'
import '@mantine/core/styles/Checkbox.css'
import '@mantine/core/styles/NumberInput.css'
import '@mantine/core/styles/PasswordInput.css'
import '@mantine/core/styles/SegmentedControl.css'
import '@mantine/core/styles/ActionIcon.css'
import './fields.css'

export { Checkbox, NativeSelect, NumberInput, PasswordInput, SegmentedControl, Textarea, TextInput } from '@mantine/core'
