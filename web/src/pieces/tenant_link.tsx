import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { tenantName } from '../api/tenants'
import { shorten } from './id_chip'

/** A tenant by name, where a record has only its id. */
export function TenantLink({ id }: { id: string }) {
  return (
    <Link to="/tenants/$tenant" params={{ tenant: id }}>
      <TenantName id={id} />
    </Link>
  )
}

export function TenantName({ id }: { id: string }) {
  const { data } = useQuery(tenantName(id))
  return <>{data?.name ?? shorten(id)}</>
}
