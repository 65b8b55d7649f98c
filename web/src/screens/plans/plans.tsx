export default function Later() {
  return <p>plans</p>
}
