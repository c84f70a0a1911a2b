const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

type Interrupt = keyof typeof EXIT_CODES;

/**
 * Turns the first signal that would end the process into an abort. The second
 * signal ends the process as usual.
 */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #stopListening: () => void;
  #exitCode: number = EXIT_CODES.SIGINT;

  /**
   * Listens to the signals of the process, or to a signal that stands for
   * Ctrl-C.
   */
  constructor(given: AbortSignal | undefined) {
    this.#stopListening = given === undefined
      ? this.#listenToProcess()
      : this.#listenTo(given);
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Exit code that shells expect of a program ended by this signal. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    this.#stopListening();
  }

  #listenTo(given: AbortSignal): () => void {
    const onAbort = () => this.#controller.abort(given.reason);
    if (given.aborted) onAbort();
    given.addEventListener("abort", onAbort, { once: true });
    return () => given.removeEventListener("abort", onAbort);
  }

  #listenToProcess(): () => void {
    const names: Interrupt[] = Deno.build.os === "windows"
      ? ["SIGINT"]
      : ["SIGINT", "SIGTERM", "SIGHUP"];
    const listeners = names.map((name) => {
      const onSignal = () => {
        stop();
        this.#exitCode = EXIT_CODES[name];
        this.#controller.abort();
      };
      Deno.addSignalListener(name, onSignal);
      return { name, onSignal };
    });
    const stop = () => {
      for (const { name, onSignal } of listeners.splice(0)) {
        Deno.removeSignalListener(name, onSignal);
      }
    };
    return stop;
  }
}
