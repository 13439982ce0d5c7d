/**
 * The ways in which an input is cut into messages.
 *
 * @module
 */

import { LineSplitter } from "./lines.ts";
import {
  ChunkSplitter,
  DelimitedSplitter,
  type PassedOver,
  RawSplitter,
  type Splitter,
  type TakeMessage,
  WholeSplitter,
} from "./split.ts";

/** How an input is cut into messages. */
export type Cut =
  | { readonly by: "lines" | "raw" | "whole" | "delimited" }
  | { readonly by: "chunk"; readonly size: number };

/** The splitter for a way of cutting; `limit` is the largest message, in bytes. */
export function splitterFor(cut: Cut, limit: number, take: TakeMessage, passedOver: PassedOver): Splitter {
  switch (cut.by) {
    case "lines":
      return new LineSplitter(limit, take, passedOver);
    case "raw":
      return new RawSplitter(limit, take);
    case "chunk":
      return new ChunkSplitter(cut.size, take);
    case "whole":
      return new WholeSplitter(limit, take, passedOver);
    case "delimited":
      return new DelimitedSplitter(limit, take, passedOver);
  }
}
