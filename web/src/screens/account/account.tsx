export default function Later() {
  return <p>account</p>
}
