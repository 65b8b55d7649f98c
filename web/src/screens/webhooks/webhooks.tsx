export default function Later() {
  return <p>webhooks</p>
}
