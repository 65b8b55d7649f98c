export default function Later() {
  return <p>audit</p>
}
