/**
 * Three kinds of lines to compress, the same each time.
 *
 * @module
 */

/** Makes `count` lines. */
export type Lines = (count: number) => string[];

/** Numbers from 0 to 1 that look random (Park and Miller). */
function randomNumbers(): () => number {
  let state = 1;
  return () => (state = state * 48_271 % 0x7fff_ffff) / 0x7fff_ffff;
}

const begin = Date.UTC(2026, 0, 1, 9);

/** Trades of fifty symbols, whose prices walk: JSON of about 90 bytes. */
function ticks(count: number): string[] {
  const random = randomNumbers();
  const symbols = Array.from(
    { length: 50 },
    (_, i) => ({ symbol: `SYM${i}`, cents: 1_000 + Math.floor(random() * 50_000) }),
  );
  let time = begin;
  return Array.from({ length: count }, (_, trade) => {
    const traded = symbols[Math.floor(random() * symbols.length)]!;
    traded.cents += Math.floor(random() * 11) - 5;
    time += Math.floor(random() * 20);
    const side = random() < 0.5 ? "buy" : "sell";
    const { symbol, cents } = traded;
    return JSON.stringify({ symbol, price: cents / 100, size: 1 + Math.floor(random() ** 3 * 500), side, time, trade });
  });
}

/** Twenty rooms with a temperature, a humidity and a voltage, one after the other: CSV of about 50 bytes. */
function sensors(count: number): string[] {
  const random = randomNumbers();
  const rooms = Array.from(
    { length: 20 },
    (_, i) => ({ name: `room-${100 + i}`, warm: 18 + random() * 6, damp: 30 + random() * 30 }),
  );
  return Array.from({ length: count }, (_, i) => {
    const room = rooms[i % rooms.length]!;
    room.warm += (random() - 0.5) / 5;
    room.damp += (random() - 0.5) / 2;
    const time = new Date(begin + Math.floor(i / rooms.length) * 1_000).toISOString();
    return `${time},${room.name},${room.warm.toFixed(2)},${room.damp.toFixed(1)},${(3.2 + random() / 5).toFixed(3)}`;
  });
}

const paths = ["/", "/index.html", "/api/v1/orders", "/api/v1/items", "/static/app.js", "/static/style.css", "/health"];
const agents = [
  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  "curl/8.14.1",
];

/** What a web server logs, in the combined format: lines of about 155 bytes. */
function logs(count: number): string[] {
  const random = randomNumbers();
  const pick = <T>(choices: readonly T[]) => choices[Math.floor(random() * choices.length)]!;
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  let time = begin;
  return Array.from({ length: count }, () => {
    time += Math.floor(random() * 100);
    const at = new Date(time);
    const clock = at.toISOString().slice(11, 19);
    const from = `10.${Math.floor(random() * 4)}.${Math.floor(random() * 256)}.${Math.floor(random() * 256)}`;
    const path = pick(paths) + (random() < 0.3 ? `?id=${Math.floor(random() * 100_000)}` : "");
    const status = random() < 0.95 ? 200 : pick([301, 304, 404, 500]);
    const day = `${at.getUTCDate()}`.padStart(2, "0");
    const stamp = `${day}/${months[at.getUTCMonth()]}/${at.getUTCFullYear()}:${clock} +0000`;
    return `${from} - - [${stamp}] "GET ${path} HTTP/1.1" ${status} ${Math.floor(random() * 30_000)} "-" "${
      pick(agents)
    }"`;
  });
}

/** By name. */
export const kinds: Readonly<Record<string, Lines>> = {
  "ticks, JSON": ticks,
  "sensors, CSV": sensors,
  "web server log": logs,
};
