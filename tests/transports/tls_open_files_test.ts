import { assertMatch } from "@std/assert";
import { parseEndpoint } from "../../transports/endpoint.ts";
import { dialTls } from "../../transports/tls_dial.ts";
import { Output } from "../cli/process.ts";

Deno.test({
  name: "tls: a listener that was short of open files says so, and goes on when there are some again",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const limited = `ulimit -n 200 && exec "$0" run --quiet --no-check --allow-all tests/transports/tls_listening.ts`;
    const child = new Deno.Command("bash", {
      args: ["-c", limited, Deno.execPath()],
      cwd: new URL("../../", import.meta.url),
      stdout: "piped",
    }).spawn();
    const output = new Output("the listener", child.stdout);
    const connections: Deno.TcpConn[] = [];
    // A listener that accepts nothing says nothing, either.
    const longest = setTimeout(() => child.kill("SIGKILL"), 60_000);
    try {
      const [, address, pin] = (await output.line(/^listening /)).split(" ");
      const endpoint = parseEndpoint(`tls://${address}`);
      // More than there can be files, and fewer than would be left in the system's queue for ever.
      while (connections.length < 250) {
        connections.push(await Deno.connect({ hostname: endpoint.host, port: endpoint.port }));
      }
      assertMatch(await output.line(/^failed /), /Too many open files/);
      for (const connection of connections.splice(0)) connection.close();
      using _here = await dialTls(endpoint, { pin: pin! });
    } finally {
      clearTimeout(longest);
      for (const connection of connections) connection.close();
      child.kill("SIGKILL");
      await child.status;
      await output.ended;
    }
  },
});
