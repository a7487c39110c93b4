/**
 * Reads what a zip says of itself: its end, and the directory before it (APPNOTE 6.3.10, sections 4.3.12 and 4.3.16).
 *
 * Zips are read in many ways by many programs, and what two of them understand differently is how checks are passed by.
 * So one form is accepted: one piece, no archive within the comment, the directory right before the end, and nothing of
 * the format for large archives.
 *
 * Pure and total: any bytes give a directory or a problem. Costs as much as the directory is long, and no list grows
 * before the number of entries is known to be within bounds.
 *
 * @module
 */
import { err, ok, type Result } from '@lattice/model'
import { MAX_BUNDLE_ENTRIES, MAX_FILE_BYTES, MAX_UNPACKED_BYTES } from '../limits.ts'
import { ENTRY_COST, type Sliced } from '../sliced.ts'
import { type BundleProblem, type BundleReason, entryProblem } from './bundle-problem.ts'
import { isFolder, readEntryName } from './zip-name.ts'

/** One file or folder, as the directory has it. */
export interface ZipEntry {
  readonly name: string
  readonly nameBytes: Uint8Array
  readonly flags: number
  readonly method: number
  readonly crc: number
  readonly packedBytes: number
  readonly unpackedBytes: number
  /** Where its local header begins. */
  readonly offset: number
}

export interface ZipDirectory {
  readonly entries: readonly ZipEntry[]
  /** Where the directory begins, and so where the files end. */
  readonly offset: number
}

export const METHOD_STORED = 0
export const METHOD_DEFLATED = 8
/** Sizes and checksum follow the data. */
export const FLAG_DESCRIPTOR: number = 1 << 3

const END_SIGNATURE = 0x06054b50
const END_BYTES = 22
/** Bytes of the comment at the end of a zip, as its two-byte length can say: the end is looked for within them. */
const MAX_COMMENT_BYTES = 0xffff
const LOCATOR_SIGNATURE = 0x07064b50
const LOCATOR_BYTES = 20
const ENTRY_SIGNATURE = 0x02014b50
const ENTRY_BYTES = 46
const NONE_16 = 0xffff
const NONE_32 = 0xffffffff
const FLAG_ENCRYPTED = 1
const FLAGS_ENCRYPTED: number = FLAG_ENCRYPTED | (1 << 6) | (1 << 13)
/** How well it was deflated, a descriptor, a name in UTF-8. */
const FLAGS_KNOWN: number = (1 << 1) | (1 << 2) | FLAG_DESCRIPTOR | (1 << 11)
const EXTRA_ZIP64 = 1
const EXTRA_HEADER_BYTES = 4
const MODE_TYPE = 0xf000
const MODE_NONE = 0
const MODE_FILE = 0x8000
const MODE_FOLDER = 0x4000

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function* readZipDirectory(zip: Uint8Array): Sliced<Result<ZipDirectory, BundleProblem>> {
  const end = readEnd(zip)
  if (!end.ok) return end
  const { offset, size, count } = end.value
  const entries: ZipEntry[] = []
  let at = offset
  let unpacked = 0
  for (let index = 0; index < count; index += 1) {
    const entry = readEntry(zip, at, offset + size)
    if (!entry.ok) return entry
    entries.push(entry.value.entry)
    yield entry.value.next - at + ENTRY_COST
    at = entry.value.next
    unpacked += entry.value.entry.unpackedBytes
    if (unpacked > MAX_UNPACKED_BYTES) return err({ reason: 'unpacked_too_large' })
  }
  return at === offset + size ? ok({ entries, offset }) : err({ reason: 'directory_damaged' })
}

interface ZipEnd {
  readonly offset: number
  readonly size: number
  readonly count: number
}

function readEnd(zip: Uint8Array): Result<ZipEnd, BundleProblem> {
  const view = viewOf(zip)
  const at = lastEnd(view)
  if (at === undefined) return err({ reason: 'not_a_zip' })
  if (hasEndBefore(view, at)) return err({ reason: 'ambiguous_end' })
  if (at + END_BYTES + view.getUint16(at + 20, true) !== zip.length) return err({ reason: 'not_a_zip' })
  const count = view.getUint16(at + 10, true)
  const size = view.getUint32(at + 12, true)
  const offset = view.getUint32(at + 16, true)
  const isLarge = count === NONE_16 || size === NONE_32 || offset === NONE_32
  const hasLocator = at >= LOCATOR_BYTES && view.getUint32(at - LOCATOR_BYTES, true) === LOCATOR_SIGNATURE
  if (isLarge || hasLocator) return err({ reason: 'zip64' })
  if (view.getUint16(at + 4, true) !== 0 || view.getUint16(at + 6, true) !== 0) return err({ reason: 'multi_disk' })
  if (view.getUint16(at + 8, true) !== count) return err({ reason: 'multi_disk' })
  if (count > MAX_BUNDLE_ENTRIES) return err({ reason: 'too_many_entries' })
  if (offset + size !== at || size < count * ENTRY_BYTES) return err({ reason: 'directory_damaged' })
  return ok({ offset, size, count })
}

/** The last place that looks like an end; a comment has to end with the file. */
function lastEnd(view: DataView, before: number = view.byteLength - END_BYTES): number | undefined {
  const first = Math.max(0, view.byteLength - END_BYTES - MAX_COMMENT_BYTES)
  for (let at = before; at >= first; at -= 1) if (view.getUint32(at, true) === END_SIGNATURE) return at
  return undefined
}

/** True when an earlier end would take the one at `at` for a part of its comment. */
function hasEndBefore(view: DataView, at: number): boolean {
  for (let other = lastEnd(view, at - 1); other !== undefined; other = lastEnd(view, other - 1))
    if (other + END_BYTES + view.getUint16(other + 20, true) === view.byteLength) return true
  return false
}

function readEntry(
  zip: Uint8Array,
  at: number,
  end: number,
): Result<{ readonly entry: ZipEntry; readonly next: number }, BundleProblem> {
  const view = viewOf(zip)
  if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY_SIGNATURE)
    return err({ reason: 'directory_damaged' })
  const nameEnd = at + ENTRY_BYTES + view.getUint16(at + 28, true)
  const extraEnd = nameEnd + view.getUint16(at + 30, true)
  const next = extraEnd + view.getUint16(at + 32, true)
  if (next > end) return err({ reason: 'directory_damaged' })
  const nameBytes = zip.subarray(at + ENTRY_BYTES, nameEnd)
  const name = readEntryName(nameBytes)
  if (!name.ok) return name
  const entry: ZipEntry = {
    name: name.value,
    nameBytes,
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    packedBytes: view.getUint32(at + 20, true),
    unpackedBytes: view.getUint32(at + 24, true),
    offset: view.getUint32(at + 42, true),
  }
  const reason =
    checkEntry(entry) ??
    checkExtra(zip.subarray(nameEnd, extraEnd)) ??
    checkMode(view.getUint32(at + 38, true) >>> 16, name.value) ??
    (view.getUint16(at + 34, true) === 0 ? undefined : 'multi_disk')
  return reason === undefined ? ok({ entry, next }) : err(entryProblem(reason, name.value))
}

function checkEntry({ name, flags, method, packedBytes, unpackedBytes, offset }: ZipEntry): BundleReason | undefined {
  if (packedBytes === NONE_32 || unpackedBytes === NONE_32 || offset === NONE_32) return 'zip64'
  if ((flags & FLAGS_ENCRYPTED) !== 0) return 'encrypted'
  if ((flags & ~FLAGS_KNOWN) !== 0) return 'flags_unsupported'
  if (method !== METHOD_STORED && method !== METHOD_DEFLATED) return 'method_unsupported'
  if (unpackedBytes > MAX_FILE_BYTES) return 'file_too_large'
  if (method === METHOD_STORED && packedBytes !== unpackedBytes) return 'size_mismatch'
  if (isFolder(name) && unpackedBytes > 0) return 'folder_not_empty'
  return undefined
}

/** Extra fields are passed over, but for the one that changes sizes and places. */
function checkExtra(extra: Uint8Array): BundleReason | undefined {
  const view = viewOf(extra)
  let at = 0
  while (at + EXTRA_HEADER_BYTES <= extra.length) {
    if (view.getUint16(at, true) === EXTRA_ZIP64) return 'zip64'
    at += EXTRA_HEADER_BYTES + view.getUint16(at + 2, true)
  }
  return at > extra.length ? 'directory_damaged' : undefined
}

/** The Unix file type, which archives made elsewhere leave out. */
function checkMode(mode: number, name: string): BundleReason | undefined {
  const type = mode & MODE_TYPE
  if (type === MODE_NONE || type === (isFolder(name) ? MODE_FOLDER : MODE_FILE)) return undefined
  return 'special_file'
}
