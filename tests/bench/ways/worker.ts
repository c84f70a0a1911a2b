/** Does one operation several times, in a process whose calls V8 counts. */
import { OPERATIONS } from "./operations.ts";

const [name = "", dir = "", count = ""] = Deno.args;
await OPERATIONS[name]?.run(dir, Number(count));
