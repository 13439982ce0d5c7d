// `@std/assert` with its types, which the npm package that carries it leaves out.
// @ts-self-types="./std_assert.d.ts"
export * from "deno-std/assert/mod.js";
