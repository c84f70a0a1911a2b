/** Programs that a machine may have or not. */

/** The result of a program. */
export interface Said {
  /** Whether it exited with 0. */
  readonly success: boolean;
  /** The standard output, then the standard error. */
  readonly text: string;
}

/** Runs a program to its end; undefined if it does not exist. */
export async function tryProgram(
  program: string,
  args: string[],
  signal?: AbortSignal,
): Promise<Said | undefined> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args,
      ...(signal && { signal }),
    }).output();
    const decoder = new TextDecoder();
    return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
