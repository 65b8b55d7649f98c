export default function Later() {
  return <p>transports</p>
}
