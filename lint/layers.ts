/**
 * Lint rules that keep the rooms apart: imports go cli -> mod.ts -> transports -> core, never up and never sideways.
 *
 * - `layers/imports`: a room imports itself and the rooms below it. Core imports nothing but core. One transport does not
 *   import another: what two of them need is in a shared file, and only the table in `dial.ts` knows them all.
 * - `layers/core-lib`: no `/// <reference` in core, since one of them gives `Deno` back to the whole room.
 *
 * @module
 */

/** The rooms from the lowest up; a room imports itself and what stands before it. */
const rooms = ["core", "transports", "mod.ts", "cli"];

/** What every transport may import: each is the whole of one concern that they have in common. */
const sharedTransports = [
  "schemes",
  "endpoint",
  "fault",
  "platform",
  "cryptography",
  "compression",
  "socket",
  "interfaces",
];

/** The only file that imports the transports themselves: scheme -> how to dial and listen. */
const transportTable = "dial";

/** Names that stand for files of the project. */
const mapped: Record<string, string> = { "@stream/stream": "mod.ts" };

const root = new URL("../", import.meta.url);

/** The path of a file or URL inside the project, `core/log.ts`, or `null` for what is outside. */
function projectPath(url: URL): string | null {
  return url.href.startsWith(root.href) ? decodeURIComponent(url.href.slice(root.href.length)) : null;
}

function fileUrl(filename: string): URL {
  if (filename.startsWith("file:")) return new URL(filename);
  const path = filename.replaceAll("\\", "/").replaceAll("%", "%25").replaceAll("#", "%23").replaceAll("?", "%3F");
  return new URL(path, root);
}

/** The transport a file belongs to: `tls` for `transports/tls.ts` and for `transports/tls_certificate.ts`. */
function transportOf(path: string): string {
  return path.split("/")[1]!.replace(/\.ts$/, "").split("_")[0]!;
}

/**
 * Why a file of the project may not import a specifier.
 *
 * @returns the reason, or `null` where it may
 */
export function importFault(importer: string, specifier: string): string | null {
  const room = importer.split("/")[0]!;
  const rank = rooms.indexOf(room);
  if (rank < 0) return null;

  const target = /^\.{0,2}\/|^file:/.test(specifier)
    ? projectPath(new URL(specifier, new URL(importer, root)))
    : mapped[specifier] ?? null;
  if (target === null) {
    return room === "core" ? `core imports nothing but core, and this is "${specifier}"` : null;
  }

  const targetRoom = target.split("/")[0]!;
  const targetRank = rooms.indexOf(targetRoom);
  if (targetRank < 0) return `${room} is part of the program, and ${targetRoom} is not`;
  if (targetRank > rank) return `${targetRoom} stands above ${room}`;
  if (room !== "transports" || targetRoom !== "transports") return null;

  const from = transportOf(importer);
  const to = transportOf(target);
  if (from === to || from === transportTable || sharedTransports.includes(to)) return null;
  return `no transport imports another, and ${target} is not shared (${sharedTransports.join(", ")})`;
}

const plugin: Deno.lint.Plugin = {
  name: "layers",
  rules: {
    imports: {
      create(context) {
        const importer = projectPath(fileUrl(context.filename));
        if (importer === null) return {};
        const judge = (source: unknown, node: Deno.lint.Node) => {
          const literal = source as { type?: string; value?: unknown } | null | undefined;
          if (!literal) return;
          if (literal.type !== "Literal" || typeof literal.value !== "string") {
            if (importer.startsWith("core/")) {
              context.report({ node, message: "core imports nothing but core, and this import is computed" });
            }
            return;
          }
          const fault = importFault(importer, literal.value);
          if (fault !== null) {
            context.report({ node, message: fault, hint: `Imports go ${rooms.toReversed().join(" -> ")}.` });
          }
        };
        return {
          ImportDeclaration: (node) => judge(node.source, node),
          ExportAllDeclaration: (node) => judge(node.source, node),
          ExportNamedDeclaration: (node) => judge(node.source, node),
          ImportExpression: (node) => judge(node.source, node),
          TSImportType: (node) => judge(node.argument, node),
        };
      },
    },
    "core-lib": {
      create(context) {
        const path = projectPath(fileUrl(context.filename));
        if (!path?.startsWith("core/")) return {};
        return {
          Program() {
            for (const comment of context.sourceCode.getAllComments()) {
              if (comment.type !== "Line" || !/^\/\s*<reference\b/.test(comment.value)) continue;
              context.report({
                range: comment.range,
                message: "a reference directive in core would give `Deno` back to it",
                hint: "What core needs of the platform is handed in through `Platform`.",
              });
            }
          },
        };
      },
    },
  },
};

export default plugin;
