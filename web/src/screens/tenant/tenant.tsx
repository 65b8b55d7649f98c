export default function Later() {
  return <p>tenant</p>
}
