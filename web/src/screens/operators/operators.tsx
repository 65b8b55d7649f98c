export default function Later() {
  return <p>operators</p>
}
