/**
 * `stream bench echo`: sends back what `stream bench latency --far-echo` sends, from another machine.
 *
 * @module
 */

import { ExitStatus } from "../exit.ts";
import { untilAborted } from "../link.ts";
import { printError } from "../stdio.ts";
import type { Sink, TargetKind } from "./driver.ts";
import { withoutSecrets } from "./drivers/address.ts";
import { driverOf } from "./drivers/table.ts";
import { farTopics } from "./plan.ts";
import { type BenchTls, readTrust } from "./tls.ts";

/** Answers until it is interrupted, or the connection is lost. */
export async function echo(
  { kind, endpoint }: { readonly kind: TargetKind; readonly endpoint: string },
  tls: BenchTls | null,
  signal: AbortSignal,
): Promise<ExitStatus> {
  const driver = await driverOf(kind, { trust: tls === null ? null : await readTrust(tls.ca) });
  const sender = await driver.send(endpoint, [farTopics.reply]);
  const sink: Sink = {
    arrived() {},
    take: (bytes, _view, start, end) => void sender.send(0, bytes.subarray(start, end)),
    damaged: (why) => printError(why),
  };
  const receiver = await driver.receive(endpoint, [farTopics.request], sink);
  printError(`answering at ${withoutSecrets(endpoint)}`);
  try {
    await untilAborted(Promise.race([receiver.closed, sender.closed]), signal);
  } finally {
    receiver.close();
    await sender.close();
  }
  return ExitStatus.done;
}
