/** Does one operation several times, in a process whose calls V8 counts. */
import { OPERATIONS } from "./operations.ts";

// A clock that advances by a microsecond each time it is read: on a busy machine the
// cache would take the disk for slow, and other calls would be counted.
let readings = 0;
performance.now = () => ++readings / 1000;

const [name = "", dir = "", count = ""] = Deno.args;
await OPERATIONS[name]?.run(dir, Number(count));
