// Judges docs/asyncapi.json by AsyncAPI's own schema.
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import formats from "ajv-formats";
import specs from "@asyncapi/specs";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true });
formats(ajv);
const judge = ajv.compile(specs.schemasWithoutId["3.0.0"]);
if (!judge(document)) {
  console.error(judge.errors);
  process.exit(1);
}
console.log(`${Object.keys(document.components.messages).length} messages`);
