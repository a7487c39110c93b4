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
import { runAtOnce, SLICE_BYTES, type Sliced } from '../sliced.ts'
import { type BundleProblem, type BundleReason, entryProblem } from './bundle-problem.ts'
import { crc32 } from './crc32.ts'
import { METHOD_STORED, type ZipEntry } from './zip-directory.ts'
import type { PackedEntry } from './zip-layout.ts'

/**
 * Packed bytes taken at a time, by what those before them made: as many as make about a slice. The most is what fewer
 * steps of unpacking gain and what a jump to a thousand to one may cost, once per bomb: tens of milliseconds.
 */
const MIN_STEP_BYTES = 256
const FIRST_STEP_BYTES: number = 4 * 1024
const MAX_STEP_BYTES: number = 16 * 1024

/** What a step costs beside its bytes, and every file: the unpacker carries its window from one to the next. */
const STEP_COST: number = 8 * 1024

/** Checks one file and gives its content piece by piece to `onPiece`. Views are the callee's to keep. */
export function* unpackEntry(
  { entry, data }: PackedEntry,
  onPiece: (piece: Uint8Array) => void,
): Sliced<Result<void, BundleProblem>> {
  if (isBomb(entry)) return err(entryProblem('ratio', entry.name))
  let size = 0
  let crc = 0
  const pieces = entry.method === METHOD_STORED ? cut(data) : inflate(data)
  let next = pieces.next()
  for (; next.done !== true; next = pieces.next()) {
    const piece = next.value
    size += piece.length
    if (size > entry.unpackedBytes) return err(entryProblem('size_mismatch', entry.name))
    crc = crc32(piece, crc)
    onPiece(piece)
    yield piece.length + STEP_COST
  }
  if (next.value !== undefined) return err(entryProblem(next.value, entry.name))
  if (size !== entry.unpackedBytes) return err(entryProblem('size_mismatch', entry.name))
  return crc === entry.crc ? ok(undefined) : err(entryProblem('crc_mismatch', entry.name))
}

/** The whole content of a file that was checked. */
export function readEntryContent(packed: PackedEntry): Uint8Array {
  const content = new Uint8Array(packed.entry.unpackedBytes)
  let at = 0
  const unpacked = runAtOnce(
    unpackEntry(packed, (piece) => {
      content.set(piece, at)
      at += piece.length
    }),
  )
  assert(unpacked.ok, 'a bundle that was checked is as it was')
  return content
}

function isBomb({ packedBytes, unpackedBytes }: ZipEntry): boolean {
  return unpackedBytes > RATIO_FREE_BYTES && unpackedBytes > packedBytes * MAX_COMPRESSION_RATIO
}

type Pieces = Generator<Uint8Array, BundleReason | undefined, undefined>

/** At least one piece, which may be empty. */
function* cut(bytes: Uint8Array): Generator<Uint8Array, undefined, undefined> {
  yield bytes.subarray(0, SLICE_BYTES)
  for (let at = SLICE_BYTES; at < bytes.length; at += SLICE_BYTES) yield bytes.subarray(at, at + SLICE_BYTES)
}

function* inflate(data: Uint8Array): Pieces {
  let made = new Uint8Array()
  const inflater = new Inflate((piece) => {
    made = piece
  })
  let step = FIRST_STEP_BYTES
  for (let at = 0; at < data.length; at += step) {
    if (at > 0) step = nextStep(step, made.length)
    try {
      inflater.push(data.subarray(at, at + step), at + step >= data.length)
    } catch {
      // The inflater throws for whatever is no deflated data.
      return 'data_damaged'
    }
    yield* cut(made)
  }
  return data.length === 0 ? 'data_damaged' : undefined
}

function nextStep(step: number, made: number): number {
  const wanted = made === 0 ? MAX_STEP_BYTES : Math.floor((step * SLICE_BYTES) / made)
  return Math.max(MIN_STEP_BYTES, Math.min(wanted, 2 * step, MAX_STEP_BYTES))
}
