export default function Later() {
  return <p>invoices</p>
}
