export default function Later() {
  return <p>system</p>
}
