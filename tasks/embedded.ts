/** What `deno compile` embedded in an executable, from the list it prints, and what of the program is not there. */

/** Embedded files, from the root of the project. */
export interface Embedded {
  readonly files: ReadonlySet<string>;
  /** Directories that are embedded whole. */
  readonly directories: readonly string[];
}

/**
 * Reads the tree of embedded files out of what `deno compile` printed.
 *
 * ```text
 * stream
 * ├─┬ cli (11.2KB)
 * │ └── main.ts (10.78KB)
 * └── transports/* (30KB)
 * ```
 */
export function parseEmbedded(output: string): Embedded {
  const files = new Set<string>();
  const directories: string[] = [];
  const path: string[] = [];
  for (const line of output.split("\n")) {
    const parts = /^((?:│ | {2})*)[├└]─(┬|─) (.*?)(?: \([^()]*\))?$/.exec(line);
    if (parts === null) continue;
    const [, indent = "", kind, name = ""] = parts;
    path.length = indent.length / 2;
    if (kind === "┬") path.push(name);
    else if (name.endsWith("/*")) directories.push([...path, name.slice(0, -2)].join("/"));
    else files.add([...path, name].join("/"));
  }
  return { files, directories };
}

/** Whether a file, from the root of the project, is embedded. */
export function isEmbedded(embedded: Embedded, file: string): boolean {
  return embedded.files.has(file) || embedded.directories.some((directory) => file.startsWith(`${directory}/`));
}

/** One module, as `deno info --json` describes it; of a dependency, `code` is what is there at run time. */
interface ModuleInfo {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly code?: { readonly specifier?: string } }[];
}

/**
 * The files of the project that are reached from a module at run time, dynamic imports included.
 *
 * @param info what `deno info --json` printed
 * @returns paths from the root, sorted
 */
export function reachable(info: string, entry: URL, root: URL): string[] {
  const modules = (JSON.parse(info) as { modules: ModuleInfo[] }).modules;
  const bySpecifier = new Map(modules.map((module) => [module.specifier, module]));
  const seen = new Set<string>();
  const waiting = [entry.href];
  for (let specifier; (specifier = waiting.pop()) !== undefined;) {
    if (seen.has(specifier) || !specifier.startsWith(root.href)) continue;
    seen.add(specifier);
    for (const { code } of bySpecifier.get(specifier)?.dependencies ?? []) {
      if (code?.specifier !== undefined) waiting.push(code.specifier);
    }
  }
  return [...seen].map((specifier) => decodeURIComponent(specifier.slice(root.href.length))).sort();
}

/** The files that a module finds beside itself by URL, which no import tells of: workers and pages. */
export function filesByUrl(source: string, module: string): string[] {
  const found = source.matchAll(/new URL\(\s*["'`](\.[^"'`]*)["'`],\s*import\.meta\.url/g);
  const base = new URL(module, "file:///");
  return [...found].map(([, path]) => decodeURIComponent(new URL(path!, base).pathname.slice(1)))
    .filter((path) => path !== "" && !path.endsWith("/"));
}
