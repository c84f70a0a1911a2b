/**
 * Makes the error of an argument of a wrong type. The message names the type that was
 * received, and not the value: URLs and keys must not stand in messages.
 *
 * @param task The work that the argument prevents, such as "download".
 */
export function wrongType(
  task: string,
  name: string,
  wanted: string,
  value: unknown,
): TypeError {
  return new TypeError(
    `Cannot ${task}: ${name} must be ${wanted}: received ${typeof value}`,
  );
}
