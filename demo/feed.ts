/**
 * A generated market: several hundred invented symbols that open together.
 *
 * It is made to look and load like a real feed, not to be one: prices are random walks, a few symbols have most of the
 * ticks, trading is thin before the bell, hectic after it and calms down, and now and then one symbol gets a burst of
 * large trades that moves it.
 * The same seed gives the same ticks.
 *
 * @module
 */

import { Random } from "./random.ts";

/** One trade, with the quote around it. Prices are whole cents. */
export interface Tick {
  readonly symbol: string;
  /** Seconds since the feed began. */
  readonly at: number;
  readonly bid: number;
  readonly ask: number;
  /** What was paid: the ask when the buyer came to the seller, else the bid. */
  readonly last: number;
  /** Shares of this trade. */
  readonly size: number;
  /** Shares of this symbol up to now. */
  readonly volume: number;
}

/** How a market is made. */
export interface MarketOptions {
  readonly seed: number;
  /** How many symbols: 400 unless given, and at most that. */
  readonly symbols?: number;
  /** Ticks a second, of all symbols, once the opening has calmed down: 10,000 unless given. */
  readonly rate?: number;
}

const heads = "AL BR COR DEL EV FEN GAL HEX IR JUN KEL LUM MER NOR OR PAX QU RIV SOL TER".split(" ");
const tails = "A AD AN AX E EC EM EX I IA IN IS O OD ON OX U UM UR US".split(" ");

/** Time goes on in steps of this many seconds. */
const step = 0.001;
/** When the bell rings, in seconds. */
const bell = 1;
/** What part of the usual activity there is before the bell. */
const beforeBell = 0.2;
/** How many times the usual activity comes on top of it at the bell, and in how many seconds that fades. */
const openingActivity = 1.5;
const openingFade = 1.2;
/** Bursts a second, over all symbols. */
const burstRate = 2;
/** No price falls below a dollar. */
const leastPrice = 100;

interface Listing {
  readonly symbol: string;
  /** In cents, not rounded. */
  price: number;
  /** How far it wanders in a second, as a fraction. */
  readonly volatility: number;
  /** Half the distance from bid to ask, as a fraction. */
  readonly halfSpread: number;
  lastAt: number;
  volume: number;
}

interface Burst {
  readonly listing: Listing;
  readonly until: number;
  /** Ticks a second. */
  readonly rate: number;
  /** Where it pulls the price, as a fraction a second. */
  readonly drift: number;
}

/**
 * The market, tick by tick.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Market } from "./feed.ts";
 *
 * const once = [...new Market({ seed: 7 }).advance(0.1)];
 * const again = [...new Market({ seed: 7 }).advance(0.1)];
 * assertEquals(once, again);
 * ```
 */
export class Market {
  /** The symbols, the busiest first. */
  readonly symbols: readonly string[];
  readonly #random: Random;
  readonly #listings: Listing[];
  /** Sums of the symbols' shares of the activity, up to 1. */
  readonly #shares: Float64Array;
  readonly #rate: number;
  #bursts: Burst[] = [];
  #steps = 0;

  constructor({ seed, symbols = heads.length * tails.length, rate = 10_000 }: MarketOptions) {
    const random = this.#random = new Random(seed);
    this.#rate = rate;
    this.#listings = shuffledNames(random).slice(0, symbols).map((symbol, rank) => open(symbol, rank, random));
    this.symbols = this.#listings.map((listing) => listing.symbol);
    this.#shares = new Float64Array(this.#listings.length);
    let sum = 0;
    for (let rank = 0; rank < this.#shares.length; rank++) this.#shares[rank] = sum += 1 / (rank + 3);
    for (let rank = 0; rank < this.#shares.length; rank++) this.#shares[rank]! /= sum;
  }

  /** The ticks that have come up to a time, in seconds since it began, and that it has not given yet. */
  *advance(until: number): Generator<Tick, void, void> {
    // Steps are counted, so that it does not matter in which portions time goes on.
    for (; (this.#steps + 1) * step <= until; this.#steps++) {
      const at = this.#steps * step;
      const rush = at < bell ? 0 : openingActivity * Math.exp((bell - at) / openingFade);
      const activity = at < bell ? beforeBell : 1 + rush;
      this.#beginBursts(at);
      for (let left = this.#random.poisson(this.#rate * activity * step); left > 0; left--) {
        yield this.#trade(this.#pick(), at, rush, null);
      }
      for (const burst of this.#bursts) {
        for (let left = this.#random.poisson(burst.rate * step); left > 0; left--) {
          yield this.#trade(burst.listing, at, rush, burst);
        }
      }
    }
  }

  #beginBursts(at: number): void {
    if (this.#bursts.some((burst) => burst.until <= at)) {
      this.#bursts = this.#bursts.filter((burst) => burst.until > at);
    }
    if (at < bell) return;
    const random = this.#random;
    for (let left = random.poisson(burstRate * step); left > 0; left--) {
      this.#bursts.push({
        listing: this.#pick(),
        until: at + random.between(0.2, 1.2),
        rate: this.#rate * random.between(0.05, 0.2),
        drift: random.between(0.004, 0.012) * (random.next() < 0.5 ? -1 : 1),
      });
    }
  }

  /** A symbol, the busy ones more often. */
  #pick(): Listing {
    const share = this.#random.next();
    let low = 0;
    for (let high = this.#shares.length - 1; low < high;) {
      const middle = (low + high) >> 1;
      if (this.#shares[middle]! > share) high = middle;
      else low = middle + 1;
    }
    return this.#listings[low]!;
  }

  #trade(listing: Listing, at: number, rush: number, burst: Burst | null): Tick {
    const random = this.#random;
    const elapsed = Math.max(at - listing.lastAt, step / 10);
    listing.lastAt = at;
    const excited = (1 + rush) * (burst ? 1.5 : 1);
    const move = listing.volatility * excited * Math.sqrt(elapsed) * random.normal() + (burst?.drift ?? 0) * elapsed;
    listing.price = Math.max(leastPrice, listing.price * Math.exp(move));

    const half = listing.price * listing.halfSpread * Math.sqrt(excited);
    const bid = Math.floor(listing.price - half);
    const ask = Math.max(Math.ceil(listing.price + half), bid + 1);
    const last = random.next() < (move > 0 ? 0.65 : 0.35) ? ask : bid;

    const lots = Math.ceil(Math.exp(0.9 * random.normal()) * (burst ? 4 : 1));
    const size = random.next() < 0.2 ? 1 + Math.floor(99 * random.next()) : 100 * lots;
    listing.volume += size;
    return { symbol: listing.symbol, at, bid, ask, last, size, volume: listing.volume };
  }
}

/**
 * A tick as a line of JSON. The stamp comes first and always has sixteen digits, so that {@linkcode stampOf} finds it.
 *
 * @param time when it is published: Unix microseconds
 */
export function tickJson(tick: Tick, time: number): string {
  const { symbol, bid, ask, last, size, volume } = tick;
  return `{"time":${time},"symbol":"${symbol}","bid":${dollars(bid)},"ask":${dollars(ask)},` +
    `"last":${dollars(last)},"size":${size},"volume":${volume}}`;
}

/** The stamp of a tick's JSON, without parsing the rest. */
export function stampOf(bytes: Uint8Array, start: number): number {
  let time = 0;
  for (let at = start + 8; at < start + 24; at++) time = time * 10 + bytes[at]! - 48;
  return time;
}

function dollars(cents: number): string {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
}

function open(symbol: string, rank: number, random: Random): Listing {
  return {
    symbol,
    price: 100 * Math.exp(random.between(Math.log(8), Math.log(600))),
    volatility: random.between(0.001, 0.0025),
    // What is traded less has the wider spread.
    halfSpread: random.between(0.00008, 0.00016) * (1 + rank / 60),
    lastAt: 0,
    volume: 0,
  };
}

function shuffledNames(random: Random): string[] {
  const names = heads.flatMap((head) => tails.map((tail) => head + tail));
  for (let i = names.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [names[i], names[j]] = [names[j]!, names[i]!];
  }
  return names;
}
