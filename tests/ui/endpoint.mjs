// A tenant's endpoint: it takes whatever comes, and remembers it.

import { createServer } from 'node:http'

export async function listen() {
  const taken = []
  const waiting = []
  const look = () => {
    for (const { type, resolve } of waiting) {
      const found = taken.find((one) => one.type === type)
      if (found) resolve(found)
    }
  }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    taken.push({ headers: request.headers, body, type: JSON.parse(body).type })
    response.writeHead(204).end()
    look()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** The first request that told of such an event. */
    heard: (type) =>
      new Promise((resolve) => {
        waiting.push({ type, resolve })
        look()
      }),
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
