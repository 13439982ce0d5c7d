/**
 * A real browser, where there is one.
 *
 * @module
 */

/** Where it is, or `null`: then what needs it is not tested. */
export const browser: string | null = [
  Deno.env.get("CHROME_PATH"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/snap/bin/chromium",
].find((path) => path !== undefined && isFile(path)) ?? null;

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** What the browser has made of a page, and what it complained about. */
export interface Rendered {
  /** The document, after its scripts have run. */
  readonly dom: string;
  /** Messages of the console: errors, what the page's policy has refused. */
  readonly complaints: readonly string[];
}

/** Opens a page in a window that is so wide. */
export async function render(page: string, width: number): Promise<Rendered> {
  const directory = await Deno.makeTempDir({ prefix: "stream-report-" });
  try {
    const file = `${directory}/report.html`;
    await Deno.writeTextFile(file, page);
    const { stdout, stderr, success } = await new Deno.Command(browser!, {
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        `--user-data-dir=${directory}/profile`,
        `--window-size=${width},900`,
        "--dump-dom",
        `file://${file}`,
      ],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    const complaints = decoder.decode(stderr).split("\n").filter((line) => line.includes("CONSOLE"));
    if (!success) throw new Error(`the browser failed: ${decoder.decode(stderr)}`);
    return { dom: decoder.decode(stdout), complaints };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
