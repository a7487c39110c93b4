/**
 * Unpacks one file of a zip, never beyond the size that the directory gave and the bounds allowed.
 *
 * Packed data goes in by small pieces, and it ends at the first byte too many: what is made beyond the bound is at most
 * what one piece stands for.
 *
 * @module
 */
import { assert, err, ok, type Result } from '@lattice/model'
import { Inflate } from 'fflate'
import { MAX_COMPRESSION_RATIO, RATIO_FREE_BYTES } from '../limits.ts'
import { type BundleProblem, type BundleReason, entryProblem } from './bundle-problem.ts'
import { crc32 } from './crc32.ts'
import { METHOD_STORED, type ZipEntry } from './zip-directory.ts'
import type { PackedEntry } from './zip-layout.ts'

/** Packed bytes taken at a time: at their best, a thousand to one, they make as much as the largest file. */
const PIECE_BYTES: number = 16 * 1024

/** Checks one file and gives its content piece by piece to `onPiece`. Views are the callee's to keep. */
export function unpackEntry(
  { entry, data }: PackedEntry,
  onPiece: (piece: Uint8Array) => void,
): Result<void, BundleProblem> {
  if (isBomb(entry)) return err(entryProblem('ratio', entry.name))
  let size = 0
  let crc = 0
  const take = (piece: Uint8Array): boolean => {
    size += piece.length
    if (size > entry.unpackedBytes) return false
    crc = crc32(piece, crc)
    onPiece(piece)
    return true
  }
  const problem = entry.method === METHOD_STORED ? takeAll(data, take) : inflate(data, take)
  if (problem !== undefined) return err(entryProblem(problem, entry.name))
  if (size !== entry.unpackedBytes) return err(entryProblem('size_mismatch', entry.name))
  return crc === entry.crc ? ok(undefined) : err(entryProblem('crc_mismatch', entry.name))
}

/** The whole content of a file that was checked. */
export function readEntryContent(packed: PackedEntry): Uint8Array {
  const content = new Uint8Array(packed.entry.unpackedBytes)
  let at = 0
  const unpacked = unpackEntry(packed, (piece) => {
    content.set(piece, at)
    at += piece.length
  })
  assert(unpacked.ok, 'a bundle that was checked is as it was')
  return content
}

function isBomb({ packedBytes, unpackedBytes }: ZipEntry): boolean {
  return unpackedBytes > RATIO_FREE_BYTES && unpackedBytes > packedBytes * MAX_COMPRESSION_RATIO
}

function takeAll(data: Uint8Array, take: (piece: Uint8Array) => boolean): BundleReason | undefined {
  return take(data) ? undefined : 'size_mismatch'
}

function inflate(data: Uint8Array, take: (piece: Uint8Array) => boolean): BundleReason | undefined {
  let isWithin = true
  const inflater = new Inflate((piece) => {
    isWithin &&= take(piece)
  })
  try {
    for (let at = 0; at < data.length && isWithin; at += PIECE_BYTES)
      inflater.push(data.subarray(at, at + PIECE_BYTES), at + PIECE_BYTES >= data.length)
  } catch {
    // The inflater throws for whatever is no deflated data.
    return 'data_damaged'
  }
  if (!isWithin) return 'size_mismatch'
  return data.length === 0 ? 'data_damaged' : undefined
}
