/**
 * The codecs that compress the payload of a frame, as they are numbered on the wire.
 *
 * A frame is compressed once, by its publisher, and expanded by each subscriber; a server passes it on as it is.
 *
 * @module
 */

/** Codecs, by name. */
export const Codec = {
  /** DEFLATE (RFC 1951), without header and checksum. */
  deflate: 1,
  /** One frame of Zstandard (RFC 8878), without a dictionary. */
  zstd: 2,
} as const;

/** A codec: its number on the wire. */
export type Codec = typeof Codec[keyof typeof Codec];
/** A codec's name. */
export type CodecName = keyof typeof Codec;

const names: ReadonlyMap<number, CodecName> = new Map([[Codec.deflate, "deflate"], [Codec.zstd, "zstd"]]);

/** Whether this version knows a codec. */
export function isCodec(codec: number): codec is Codec {
  return names.has(codec);
}

/** The bit of a codec among the features of HELLO and WELCOME. */
export function featureOf(codec: Codec): number {
  return 1 << (codec - 1);
}

/** The features of all codecs that this version knows. */
export const codecFeatures = featureOf(Codec.deflate) | featureOf(Codec.zstd);

/** The names of the codecs of some features: `deflate, zstd`. */
export function codecNames(features: number): string {
  return [...names].filter(([codec]) => features & featureOf(codec as Codec)).map(([, name]) => name).join(", ");
}
