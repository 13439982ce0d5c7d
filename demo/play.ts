/**
 * The play: starts the processes, tells them when to do what, and compares what came out.
 *
 * @module
 */

import { entry, permissions, root } from "../tasks/program.ts";
import type { Fault } from "./fault.ts";
import { differences } from "./ledger.ts";
import { DemoError, Process } from "./process.ts";
import type { Report } from "./report.ts";
import { emptyScene, type Receiver, type Scene } from "./scene.ts";

/** How the demo is run. */
export interface PlayOptions {
  /** How long the publisher publishes. */
  readonly seconds: number;
  /** Of the market. */
  readonly seed: number;
  /** What is made to go wrong, if anything. */
  readonly fault: Fault | "";
}

/** The late subscriber joins after this part of the time. */
const joinAfter = 0.4;
/** How long the subscribers may take to finish, in milliseconds: more than they give themselves. */
const patience = 20_000;
/** How long the listener to a group may wait to hear the server, in milliseconds: the server says each second that it is there. */
const hearing = 4_000;
/** How often the scene is shown, in milliseconds. */
const frameEvery = 100;

/** One of the three that publish or subscribe. */
interface Part {
  readonly process: Process;
  /** Resolves when it can be told to go on. */
  readonly ready: Promise<void>;
  /** Resolves when it has told its checksums. */
  readonly done: Promise<void>;
}

/**
 * Runs the demo to its end.
 *
 * @param show shows the scene as it is; called ten times a second
 * @param interrupted rejects when the demo shall end at once
 * @returns the last scene, in which everything has been compared
 * @throws {DemoError} when a process ends before its time, or does not end
 */
export async function play(
  { seconds, seed, fault }: PlayOptions,
  show: (scene: Scene) => void,
  interrupted: Promise<never>,
): Promise<Scene> {
  await using processes = new AsyncDisposableStack();
  const ends = [interrupted];
  const until = <T>(promise: Promise<T>): Promise<T> => Promise.race([promise, ...ends]);
  const start = (name: string, args: readonly string[], onLine: (line: string) => void): Process => {
    const process = processes.use(
      new Process(name, ["run", "--quiet", "--config", "deno.json", ...args], root, onLine),
    );
    ends.push(process.died);
    return process;
  };

  const listening = Promise.withResolvers<string>();
  const group = randomGroup();
  const serve = [...permissions, entry, "serve", "--listen", "tcp://127.0.0.1:0", "--log-level", "warn"];
  serve.push("--multicast", group);
  const server = start("server", serve, (line) => listening.resolve(line.replace("listening ", "")));
  const endpoint = await until(listening.promise);

  const scene = emptyScene(endpoint, seconds, seconds * joinAfter);
  let begin = Infinity;
  const elapsed = () => Math.max(0, (performance.now() - begin) / 1000);
  const cast = (
    name: string,
    args: readonly string[],
    onReport: (report: Report, at: number) => void,
    permissions: readonly string[] = ["--allow-net=127.0.0.1"],
  ): Part => {
    const ready = Promise.withResolvers<void>();
    const done = Promise.withResolvers<void>();
    const process = start(name, ["--no-prompt", ...permissions, ...args], (line) => {
      const report: Report = JSON.parse(line);
      onReport(report, elapsed());
      if (report.kind === "ready") ready.resolve();
      if (report.kind !== "done") return;
      process.expectEnd();
      done.resolve();
    });
    return { process, ready: ready.promise, done: done.promise };
  };
  const publisher = cast("publisher", ["demo/publisher.ts", endpoint, `${seconds}`, `${seed}`], (report, at) => {
    if ("messages" in report) scene.publisher.add(at, report.messages);
    if (report.kind === "done") scene.sent = report.entries;
  });
  const subscriberFault = fault === "die" ? "" : fault;
  const live = cast("live subscriber", ["demo/subscriber.ts", endpoint, "latest", subscriberFault], (report, at) => {
    take(scene.live, report, at);
    if (report.kind === "seen") scene.busiest = report.busiest;
  });
  const late = cast("late subscriber", ["demo/subscriber.ts", endpoint, "earliest"], (report, at) => {
    take(scene.late, report, at);
  });
  // It joins on an address of its own, and has to see by which interface.
  const multicast = cast("multicast listener", ["demo/subscriber.ts", group, "multicast"], (report, at) => {
    if (scene.multicast !== null) take(scene.multicast, report, at);
  }, ["--allow-net", "--allow-sys=networkInterfaces"]);
  await until(Promise.all([publisher.ready, live.ready]));
  const heard = await until(Promise.race([multicast.ready.then(() => true), pause(hearing).then(() => false)]));
  if (!heard) {
    scene.multicast = null;
    multicast.process.expectEnd();
    multicast.process.kill("SIGKILL");
  }
  const subscribers = heard ? [live, late, multicast] : [live, late];

  begin = performance.now();
  publisher.process.tell({ kind: "go" });
  using _timers = timers(
    setInterval(() => {
      scene.elapsed = elapsed();
      show(scene);
    }, frameEvery),
    setTimeout(() => late.process.tell({ kind: "go" }), scene.joinAt * 1000),
    setTimeout(() => fault === "die" && server.kill("SIGKILL"), (seconds * 1000) / 2),
  );
  await until(publisher.done);
  const { messages } = scene.publisher;
  for (const { process } of subscribers) process.tell({ kind: "finish", messages });
  await until(within(patience, Promise.all(subscribers.map(({ done }) => done))));
  scene.elapsed = elapsed();
  scene.faults = compare(scene);

  const status = await server.end();
  // Windows ends a process without asking it.
  if (status !== 0 && Deno.build.os !== "windows") throw new DemoError(`the server ended with ${status}`);
  return scene;
}

/** Takes down what a subscriber has reported. */
function take(receiver: Receiver, report: Report, at: number): void {
  switch (report.kind) {
    case "ready":
      receiver.track.begin(at);
      receiver.joined = true;
      break;
    case "caughtUp":
      receiver.caughtUp = report;
      break;
    case "progress":
      receiver.track.add(at, report.messages);
      break;
    case "seen":
      receiver.latency = report.all;
      if (report.recent.count > 0) receiver.latencies.push({ at, p99: report.recent.p99 });
      break;
    case "network":
      receiver.network = report;
      break;
    case "gap":
      receiver.gaps.push(report.why);
      break;
    case "done":
      receiver.entries = report.entries;
      break;
  }
}

function compare({ sent, live, late, multicast }: Scene): string[] {
  if (!sent?.length) return ["nothing was published"];
  return Object.entries({ live, late, ...(multicast && { multicast }) }).flatMap(([name, { entries, gaps }]) =>
    [...gaps, ...differences(sent, entries ?? [])].map((fault) => `${name}: ${fault}`)
  );
}

/** A group that nobody else has, on this machine alone. */
function randomGroup(): string {
  const [a, b, c] = crypto.getRandomValues(new Uint16Array(3));
  return `mcast://239.255.${a! & 255}.${b! & 255}:${20_000 + c! % 12_000}?interface=127.0.0.1`;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Timers that end with their scope. */
function timers(...ids: ReturnType<typeof setTimeout>[]): Disposable {
  return {
    [Symbol.dispose]() {
      for (const id of ids) clearTimeout(id);
    },
  };
}

function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const why = `the subscribers are not done ${milliseconds / 1000} s after the publisher`;
    timer = setTimeout(() => reject(new DemoError(why)), milliseconds);
  });
  return Promise.race([promise, tooLate]).finally(() => clearTimeout(timer));
}
