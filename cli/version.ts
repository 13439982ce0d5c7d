/**
 * The program's version.
 *
 * @module
 */

/** The version, the same as in `deno.json`: a test sees to it. */
export const version = "0.1.0";
