// An integrator's first message, with the client that openapi-typescript makes of docs/openapi.json.
import createClient from "openapi-fetch";
import type { components, paths } from "./columba.js";

declare const process: { argv: string[] };
const [url, key] = process.argv.slice(2);
if (!url || !key) throw new Error("usage: client URL KEY");
const api = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });

type Problem = components["schemas"]["Problem"];

/** Asks until the answer is there; a problem that is not worth waiting for ends it. */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 600; tries++) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`${what} did not come`);
}

function taken<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.data === undefined) throw new Error(`${answer.error?.code}: ${answer.error?.detail}`);
  return answer.data;
}

const session = taken(await api.POST("/v1/sessions", { body: { label: "typescript" } }));
const path = { id: session.id };
taken(await api.POST("/v1/sessions/{id}/start", { params: { path } }));

const qr = await until("the code", async () => {
  const { data, error } = await api.GET("/v1/sessions/{id}/qr", { params: { path } });
  if (error && error.code !== "not_pairing") throw new Error(error.detail);
  return data as components["schemas"]["QrCode"] | undefined;
});
taken(await api.POST("/v1/sandbox/scan", { body: { code: qr.code } }));
await until("the connection", async () => {
  const found = taken(await api.GET("/v1/sessions/{id}", { params: { path } }));
  return found.status === "connected" ? found : undefined;
});

const message = taken(
  await api.POST("/v1/sessions/{id}/messages", {
    params: { path, header: { "Idempotency-Key": "typescript-1" } },
    body: { to: "+15551230001", type: "text", text: { body: "canary-body from TypeScript" } },
  }),
);
const read = await until("the receipt", async () => {
  const found = taken(await api.GET("/v1/messages/{id}", { params: { path: { id: message.id } } }));
  return found.status === "read" ? found : undefined;
});

const refused = await api.POST("/v1/sessions/{id}/messages", {
  params: { path },
  body: { to: "nobody", type: "text", text: { body: "x" } },
});
if (refused.error?.code !== "invalid_request" || refused.error.errors?.[0]?.pointer !== "/to") {
  throw new Error(`a bad number was not refused: ${JSON.stringify(refused.error)}`);
}
const page = taken(await api.GET("/v1/messages", { params: { query: { session: session.id, limit: 1 } } }));
if (page.data[0]?.id !== read.id) throw new Error("the list does not begin with the newest message");
console.log(`${read.id} ${read.status}`);
