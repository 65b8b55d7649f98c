export default function Later() {
  return <p>tenants</p>
}
