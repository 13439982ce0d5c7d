import { assertEquals } from "@std/assert";
import { denoRun } from "./program.ts";

/** What the work does until it is signalled, as a program of its own: signals reach whole processes. */
const works = {
  "ends by throwing the reason": "await aborted; throw signal.reason;",
  "ends with a status of its own": "await aborted; return 0;",
  "does not end": "await aborted; await say('draining'); await new Promise(() => setInterval(() => {}, 1000));",
  "fails on its own": "await aborted; throw new TypeError('broken');",
};

async function signalled(work: keyof typeof works, ...signals: Deno.Signal[]): Promise<number> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    file,
    `import { performUntilSignal } from ${JSON.stringify(new URL("../../cli/signals.ts", import.meta.url).href)};
    const say = (line: string) => Deno.stdout.write(new TextEncoder().encode(line));
    const status = await performUntilSignal(async (signal) => {
      const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      const keepAlive = setInterval(() => {}, 1000);
      await say("ready");
      try { ${works[work]} } finally { clearInterval(keepAlive); }
    }, () => Deno.exit(130)).catch(() => 99);
    Deno.exit(status);`,
  );
  try {
    await using child = new Deno.Command(Deno.execPath(), { args: [...denoRun, file], stdout: "piped" }).spawn();
    const reader = child.stdout.getReader();
    for (const signal of signals) {
      // It says when it is ready for the first signal, and for the second.
      await reader.read();
      child.kill(signal);
    }
    const { code } = await child.status;
    await reader.cancel();
    return code;
  } finally {
    await Deno.remove(file);
  }
}

const ignore = Deno.build.os === "windows";

Deno.test({ name: "SIGINT aborts the work, and its reason is 130", ignore }, async () => {
  assertEquals(await signalled("ends by throwing the reason", "SIGINT"), 130);
});

Deno.test({ name: "SIGTERM too", ignore }, async () => {
  assertEquals(await signalled("ends by throwing the reason", "SIGTERM"), 130);
});

Deno.test({ name: "work that ends in good order has its own status", ignore }, async () => {
  assertEquals(await signalled("ends with a status of its own", "SIGTERM"), 0);
});

Deno.test({ name: "a second signal ends it at once", ignore }, async () => {
  assertEquals(await signalled("does not end", "SIGINT", "SIGINT"), 130);
});

Deno.test({ name: "what fails meanwhile for another reason is not hidden", ignore }, async () => {
  assertEquals(await signalled("fails on its own", "SIGINT"), 99);
});
