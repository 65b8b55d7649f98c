import { useEffect, useState } from 'react'

/** The token behind the `#` of a one-time link: never sent with an address, and taken out of it at once. */
export function useLinkToken(): string {
  const [token] = useState(() => window.location.hash.slice(1))
  useEffect(() => {
    if (token) window.history.replaceState(window.history.state, '', window.location.pathname)
  }, [token])
  return token
}
