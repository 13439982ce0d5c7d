/**
 * The compression that core needs, from the runtime.
 *
 * @module
 */

import {
  constants,
  deflateRawSync,
  inflateRawSync,
  zstdCompressSync,
  zstdDecompressSync,
  type ZstdOptions,
} from "node:zlib";
import { Codec } from "../core/codec.ts";
import type { Platform } from "../core/connection.ts";

/**
 * The largest window that is taken, as a power of two: 8 MiB, which every decoder should take (RFC 8878, 3.1.1.1.2). A
 * frame can ask for 2 GiB, whatever is in it.
 */
const largestWindow = 23;
/** What comes out is collected in pieces of at most so many bytes, so that a length that is claimed costs nothing. */
const largestPiece = 64 * 1024;
/** The least piece that zlib takes. */
const leastPiece = 64;

/** Their types do not know that zstd can be told the size: it is in the header then, and the window is no larger. */
interface SizedOptions extends ZstdOptions {
  readonly pledgedSrcSize: number;
}

/** What zlib gives back when it is asked how much it has read. */
interface Expanded {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

/** DEFLATE and Zstandard, as {@linkcode Platform} describes them. */
export const compression: Pick<Platform, "compress" | "expand"> = {
  compress(codec, level, bytes) {
    // In one piece, whatever the codec makes of it: that is less than a whole number of pages more.
    const chunkSize = bytes.length + leastPiece;
    if (codec === Codec.deflate) return plain(deflateRawSync(bytes, { level, chunkSize }));
    const options: SizedOptions = {
      params: { [constants.ZSTD_c_compressionLevel]: level },
      pledgedSrcSize: bytes.length,
      chunkSize,
    };
    return plain(zstdCompressSync(bytes, options));
  },
  expand(codec, bytes, length) {
    const limits = {
      // One more, or zlib begins another piece to see whether there is more.
      chunkSize: Math.min(largestPiece, Math.max(leastPiece, length + 1)),
      maxOutputLength: Math.max(1, length),
      info: true,
    };
    try {
      const { buffer, engine } = codec === Codec.deflate
        ? inflateRawSync(bytes, limits) as unknown as Expanded
        : zstdDecompressSync(bytes, {
          ...limits,
          params: { [constants.ZSTD_d_windowLogMax]: largestWindow },
        }) as unknown as Expanded;
      return buffer.length === length && engine.bytesWritten === bytes.length ? plain(buffer) : null;
    } catch {
      // Broken, larger than it may be, or a window that is: there are no other errors, and their names differ.
      return null;
    }
  },
};

/** The same bytes, not as a `Buffer`: what that calls a slice is no copy. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}
