/**
 * How large a foundation may be: what one node has to take of another that it does not trust.
 *
 * @module
 */

/** Authors, and branches of their chains: a vector of all of them still fits a frame. */
export const FOUNDATION_LANES_MAX = 32_768
/** Spine and anchors: a few for each lane, and records of membership. In memory a place takes some hundred bytes. */
export const FOUNDATION_PLACES_MAX = 262_144
/** Of all items on the wire. On the disk they are held twice for a moment. */
export const FOUNDATION_BYTES_MAX: number = 1024 * 1024 * 1024
/** Positions of all lanes together: a number of seqs that arithmetic has no trouble with. */
export const FOUNDATION_POSITIONS_MAX: number = 2 ** 40
