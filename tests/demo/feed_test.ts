import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { Market, stampOf, type Tick, tickJson } from "../../demo/feed.ts";

function ticksOf(seed: number, seconds: number): Tick[] {
  return [...new Market({ seed }).advance(seconds)];
}

Deno.test("the same seed gives the same ticks, in whatever portions they are asked for", () => {
  const whole = ticksOf(1, 1.5);
  const market = new Market({ seed: 1 });
  const portions: Tick[] = [];
  for (let at = 0; at < 1.5; at += 0.0137) portions.push(...market.advance(at));
  portions.push(...market.advance(1.5));
  assertEquals(portions, whole);
  assertNotEquals(ticksOf(2, 0.1), ticksOf(1, 0.1));
});

Deno.test("every symbol is another name of a few letters", () => {
  const { symbols } = new Market({ seed: 3 });
  assertEquals(new Set(symbols).size, 400);
  for (const symbol of symbols) assert(/^[A-Z]{3,5}$/.test(symbol), symbol);
});

Deno.test("quotes and prices stay within what a market would show", () => {
  for (const seed of [4, 5, 6]) {
    const first = new Map<string, Tick>();
    const volumes = new Map<string, number>();
    let before = 0;
    for (const tick of new Market({ seed }).advance(10)) {
      const { symbol, at, bid, ask, last, size, volume } = tick;
      assert(at >= before && at < 10);
      before = at;
      assert([bid, ask, last, size].every(Number.isSafeInteger));
      assert(bid >= 99 && bid < ask && (last === bid || last === ask), JSON.stringify(tick));
      // A cent, or half a percent of the price.
      assert(ask - bid <= Math.max(2, bid * 0.008), JSON.stringify(tick));
      assert(size >= 1 && size <= 50_000, JSON.stringify(tick));
      assertEquals(volume, (volumes.get(symbol) ?? 0) + size);
      volumes.set(symbol, volume);
      const opened = first.get(symbol);
      if (opened === undefined) first.set(symbol, tick);
      else assert(Math.abs(last / opened.last - 1) < 0.15, `${JSON.stringify(opened)} ${JSON.stringify(tick)}`);
    }
    assertEquals(first.size, 400);
  }
});

Deno.test("trading is thin before the bell, hectic after it, and calms down; a few symbols have most of it", () => {
  const seconds = new Array<number>(10).fill(0);
  const symbols = new Map<string, number>();
  for (const { at, symbol } of new Market({ seed: 8, rate: 5_000 }).advance(10)) {
    seconds[Math.floor(at)]!++;
    symbols.set(symbol, (symbols.get(symbol) ?? 0) + 1);
  }
  const [thin, opening] = seconds as [number, number];
  assertAlmostEquals(thin, 1_000, 200);
  assert(opening > 8_000 && opening === Math.max(...seconds), seconds.join());
  for (const calm of seconds.slice(6)) assert(calm > 4_500 && calm < 9_000, seconds.join());
  const counts = [...symbols.values()].sort((a, b) => b - a);
  const sum = (some: number[]) => some.reduce((total, count) => total + count, 0);
  assert(sum(counts.slice(0, 40)) > 0.4 * sum(counts));
});

Deno.test("a tick's JSON has what the tick has, and its stamp is found without parsing", () => {
  const tick = { symbol: "ALON", at: 1, bid: 1205, ask: 1210, last: 1210, size: 300, volume: 900 };
  const text = tickJson(tick, 1_767_225_600_123_456);
  assertEquals(JSON.parse(text), {
    time: 1_767_225_600_123_456,
    symbol: "ALON",
    bid: 12.05,
    ask: 12.1,
    last: 12.1,
    size: 300,
    volume: 900,
  });
  const bytes = new TextEncoder().encode(`xx${text}`);
  assertEquals(stampOf(bytes, 2), 1_767_225_600_123_456);
});
