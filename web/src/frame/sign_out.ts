import { api, keepToken } from '../api/client'
import { keepLook } from '../api/look'
import { queries } from '../api/queries'

/** Ends this sign-in and forgets what was read. */
export async function signOut(everywhere = false): Promise<void> {
  await (everywhere ? api.POST('/v1/admin/me/sign-out-everywhere') : api.POST('/v1/admin/me/sign-out'))
  keepToken(null)
  keepLook(null)
  queries.clear()
  // A new page rather than another screen: nothing of the old one stays in memory.
  window.location.assign('/ui/sign-in')
}
