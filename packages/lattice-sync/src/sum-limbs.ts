/**
 * Sums mod 2^256 with late carries: eight limbs of 32 bits, each in a double with room for two million additions.
 *
 * A sum over a node is eight loads and eight additions per record; carries run once, when the result is written.
 *
 * @module
 */
import { SUM_BYTES } from './accumulator.ts'

/** A sum under way: eight limbs, least significant first, each any safe integer. */
export type SumLimbs = Float64Array

const LIMBS = 8
const LIMB_RANGE = 2 ** 32

export function createSum(): SumLimbs {
  return new Float64Array(LIMBS)
}

/** Adds the 32 bytes at `offset`. */
export function addBytes(sum: SumLimbs, view: DataView, offset: number): void {
  for (let limb = 0; limb < LIMBS; limb += 1) {
    sum[limb] = (sum[limb] ?? 0) + view.getUint32(offset + limb * 4, true)
  }
}

/** Subtracts the 32 bytes at `offset`. */
export function subtractBytes(sum: SumLimbs, view: DataView, offset: number): void {
  for (let limb = 0; limb < LIMBS; limb += 1) {
    sum[limb] = (sum[limb] ?? 0) - view.getUint32(offset + limb * 4, true)
  }
}

/** Numbers of 32 bytes that lie `stride` bytes apart. */
export interface SumRecords {
  readonly view: DataView
  /** Offset of the first. */
  readonly offset: number
  readonly stride: number
  readonly count: number
}

/**
 * Adds them all; with a `sign` of -1, takes them all away. Written out: it is what a node that is read is checked by,
 * and the limbs stay in registers.
 */
export function addRecords(sum: SumLimbs, sign: 1 | -1, { view, offset, stride, count }: SumRecords): void {
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0]
  for (let at = offset, end = offset + count * stride; at < end; at += stride) {
    a += view.getUint32(at, true)
    b += view.getUint32(at + 4, true)
    c += view.getUint32(at + 8, true)
    d += view.getUint32(at + 12, true)
    e += view.getUint32(at + 16, true)
    f += view.getUint32(at + 20, true)
    g += view.getUint32(at + 24, true)
    h += view.getUint32(at + 28, true)
  }
  const added = [a, b, c, d, e, f, g, h]
  for (let limb = 0; limb < LIMBS; limb += 1) sum[limb] = (sum[limb] ?? 0) + sign * (added[limb] ?? 0)
}

/** Adds another sum. */
export function addSum(sum: SumLimbs, other: SumLimbs): void {
  for (let limb = 0; limb < LIMBS; limb += 1) sum[limb] = (sum[limb] ?? 0) + (other[limb] ?? 0)
}

/** Subtracts another sum. */
export function subtractSum(sum: SumLimbs, other: SumLimbs): void {
  for (let limb = 0; limb < LIMBS; limb += 1) sum[limb] = (sum[limb] ?? 0) - (other[limb] ?? 0)
}

/** Writes the sum mod 2^256 as 32 bytes, little-endian. */
export function writeSum(sum: SumLimbs, view: DataView, offset: number): void {
  let carry = 0
  for (let limb = 0; limb < LIMBS; limb += 1) {
    const value = (sum[limb] ?? 0) + carry
    carry = Math.floor(value / LIMB_RANGE)
    view.setUint32(offset + limb * 4, value - carry * LIMB_RANGE, true)
  }
}

/** True for 0 mod 2^256. */
export function isZeroSum(sum: SumLimbs): boolean {
  let carry = 0
  for (const limb of sum) {
    const value = limb + carry
    carry = Math.floor(value / LIMB_RANGE)
    if (value !== carry * LIMB_RANGE) return false
  }
  return true
}

/** The sum mod 2^256 as 32 bytes of its own. */
export function sumToBytes(sum: SumLimbs): Uint8Array {
  const bytes = new Uint8Array(SUM_BYTES)
  writeSum(sum, new DataView(bytes.buffer), 0)
  return bytes
}
