/**
 * How many claims of one network are looked at: those that may be guesses.
 *
 * @module
 */

/** The most claims of a network that are looked at, or wait for their refusal. */
const mostClaims = 8;
/** The most of a network that wait for a place. */
const longestLine = 10_000;

/** The places of one network. */
interface Places {
  looked: number;
  refused: number;
  readonly line: ((place: Place | null) => void)[];
}

/** The place of a claim, until it is answered. */
export interface Place extends Disposable {
  /** The claim is wrong: it keeps the place until it is told so. */
  refuse(): void;
}

/** Hands out the places of all networks. */
export class ClaimPlaces {
  readonly #networks = new Map<string, Places>();

  /**
   * Takes a place. While some of those who have one may be right, others wait for it.
   *
   * @returns at once where it need not wait; `null` where all others are wrong, or too many wait
   */
  take(network: string): Place | null | Promise<Place | null> {
    const places = this.#networks.get(network) ?? { looked: 0, refused: 0, line: [] };
    this.#networks.set(network, places);
    if (places.looked + places.refused < mostClaims) return this.#place(network, places);
    if (places.looked === 0 || places.line.length >= longestLine) return null;
    return new Promise((resolve) => places.line.push(resolve));
  }

  #place(network: string, places: Places): Place {
    places.looked++;
    let state: "looked" | "refused" = "looked";
    return {
      refuse() {
        state = "refused";
        places.looked--;
        places.refused++;
        if (places.looked === 0) { for (const tell of places.line.splice(0)) tell(null); }
      },
      [Symbol.dispose]: () => {
        places[state]--;
        const next = places.line.shift();
        if (next !== undefined) next(this.#place(network, places));
        else if (places.looked + places.refused === 0) this.#networks.delete(network);
      },
    };
  }
}
