/**
 * Where the data of each file of a zip lies, when directory and local headers agree (APPNOTE 6.3.10, 4.3.7 to 4.3.9).
 *
 * The files have to fill the zip from its first byte to the directory, one after another: so none shares bytes with
 * another, as the best bombs do, and nothing hides between them.
 *
 * Pure and total.
 *
 * @module
 */
import { equalBytes, err, ok, type Result } from '@lattice/model'
import { ENTRY_COST, type Sliced } from '../sliced.ts'
import { type BundleProblem, type BundleReason, entryProblem } from './bundle-problem.ts'
import { FLAG_DESCRIPTOR, viewOf, type ZipDirectory, type ZipEntry } from './zip-directory.ts'

/** A file or folder and its data, as packed. */
export interface PackedEntry {
  readonly entry: ZipEntry
  /** A view of the zip. */
  readonly data: Uint8Array
}

const LOCAL_SIGNATURE = 0x04034b50
const LOCAL_BYTES = 30
const DESCRIPTOR_SIGNATURE = 0x08074b50
const DESCRIPTOR_BYTES = 12
const SIGNATURE_BYTES = 4

/** Entries in the order of the directory. */
export function* readZipLayout(
  zip: Uint8Array,
  { entries, offset }: ZipDirectory,
): Sliced<Result<readonly PackedEntry[], BundleProblem>> {
  const packed = new Map<ZipEntry, PackedEntry>()
  let at = 0
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset !== at) return err(entryProblem('stray_data', entry.name))
    const local = readLocal(zip.subarray(at, offset), entry)
    if (!local.ok) return err(entryProblem(local.error, entry.name))
    packed.set(entry, { entry, data: local.value.data })
    at += local.value.length
    yield ENTRY_COST
  }
  if (at !== offset) return err({ reason: 'stray_data' })
  return ok(entries.flatMap((entry) => packed.get(entry) ?? []))
}

interface LocalEntry {
  readonly data: Uint8Array
  /** Header, data and descriptor. */
  readonly length: number
}

/** `bytes` begin with the local header and end with the files. */
function readLocal(bytes: Uint8Array, entry: ZipEntry): Result<LocalEntry, BundleReason> {
  const view = viewOf(bytes)
  if (bytes.length < LOCAL_BYTES || view.getUint32(0, true) !== LOCAL_SIGNATURE) return err('header_mismatch')
  const nameEnd = LOCAL_BYTES + view.getUint16(26, true)
  const start = nameEnd + view.getUint16(28, true)
  const end = start + entry.packedBytes
  if (end > bytes.length) return err('stray_data')
  const isSame =
    view.getUint16(6, true) === entry.flags &&
    view.getUint16(8, true) === entry.method &&
    equalBytes(bytes.subarray(LOCAL_BYTES, nameEnd), entry.nameBytes) &&
    hasNumbers(view, { at: 14, entry, orZero: (entry.flags & FLAG_DESCRIPTOR) !== 0 })
  if (!isSame) return err('header_mismatch')
  const descriptor = (entry.flags & FLAG_DESCRIPTOR) === 0 ? 0 : descriptorBytes(view, end, entry)
  if (descriptor === undefined) return err('header_mismatch')
  return ok({ data: bytes.subarray(start, end), length: end + descriptor })
}

/** Checksum and sizes at `at`; where they follow the data they may be zero before it. */
function hasNumbers(
  view: DataView,
  { at, entry, orZero }: { readonly at: number; readonly entry: ZipEntry; readonly orZero: boolean },
): boolean {
  return [entry.crc, entry.packedBytes, entry.unpackedBytes].every((expected, index) => {
    const found = view.getUint32(at + 4 * index, true)
    return found === expected || (orZero && found === 0)
  })
}

/** Length of the descriptor at `at`, with or without a signature; undefined when there is none. */
function descriptorBytes(view: DataView, at: number, entry: ZipEntry): number | undefined {
  const fits = (start: number): boolean =>
    start + DESCRIPTOR_BYTES <= view.byteLength && hasNumbers(view, { at: start, entry, orZero: false })
  const isSigned = at + SIGNATURE_BYTES <= view.byteLength && view.getUint32(at, true) === DESCRIPTOR_SIGNATURE
  if (isSigned && fits(at + SIGNATURE_BYTES)) return SIGNATURE_BYTES + DESCRIPTOR_BYTES
  return fits(at) ? DESCRIPTOR_BYTES : undefined
}
