/** Programs that a machine may have or not. */

/** What a program said. */
export interface Said {
  /** Whether it ended well. */
  readonly success: boolean;
  /** All that it printed, errors last. */
  readonly text: string;
}

/** Runs a program to its end; undefined where there is no such program. */
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
