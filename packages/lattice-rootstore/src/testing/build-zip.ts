/**
 * Builds zips, well-formed ones and those that lie: every field of every header can be set to something else.
 *
 * Deterministic: no times, no randomness.
 *
 * @module
 */
import { concatBytes, utf8Encode } from '@lattice/model'
import { deflateSync } from 'fflate'
import { crc32 } from '../bundle/crc32.ts'

/** What a header says. */
export interface ZipFields {
  readonly flags: number
  readonly method: number
  readonly crc: number
  readonly packedBytes: number
  readonly unpackedBytes: number
  readonly name: Uint8Array
  readonly extra: Uint8Array
}

export interface ZipSource {
  readonly name: string | Uint8Array
  readonly data?: string | Uint8Array
  /** Deflated unless told. */
  readonly stored?: boolean
  /** What is in the zip for the data, as it is. */
  readonly packed?: Uint8Array
  /** Checksum and sizes after the data: as programs write that do not know them before. */
  readonly descriptor?: 'signed' | 'plain'
  /** Unix mode. */
  readonly mode?: number
  /** What the directory says instead. */
  readonly central?: Partial<ZipFields & { readonly offset: number; readonly disk: number }>
  /** What the header before the data says instead. */
  readonly local?: Partial<ZipFields>
  /** Bytes before its header that belong to nothing. */
  readonly gap?: Uint8Array
}

export interface ZipOptions {
  readonly comment?: Uint8Array
  /** Fields of the end by their place in it. */
  readonly end?: Readonly<Record<number, { readonly bytes: 2 | 4; readonly value: number }>>
  /** Between files and directory. */
  readonly beforeDirectory?: Uint8Array
  /** Between directory and end. */
  readonly beforeEnd?: Uint8Array
}

const FLAG_DESCRIPTOR = 8
const FLAG_UTF8: number = 1 << 11

/** A `manifest.toml` for app `id`. */
export function appManifest(id: string, rest = 'version = "1.0.0"'): ZipSource {
  return { name: 'manifest.toml', data: `[app]\nid = "${id}"\n${rest}\n` }
}

export function buildZip(
  sources: readonly ZipSource[],
  {
    comment = new Uint8Array(),
    end = {},
    beforeDirectory = new Uint8Array(),
    beforeEnd = new Uint8Array(),
  }: ZipOptions = {},
): Uint8Array {
  const files: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const source of sources) {
    const { fields, packed } = pack(source)
    const gap = source.gap ?? new Uint8Array()
    offset += gap.length
    directory.push(centralHeader({ ...fields, ...source.central }, { offset, source }))
    const file = concatBytes(
      localHeader({ ...fields, ...inLocal(source), ...source.local }),
      packed,
      tail(source, fields),
    )
    files.push(gap, file)
    offset += file.length
  }
  const central = concatBytes(...directory)
  const last = numbers([
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, sources.length],
    [2, sources.length],
    [4, central.length],
    [4, offset + beforeDirectory.length],
    [2, comment.length],
  ])
  const view = new DataView(last.buffer)
  for (const [place, { bytes, value }] of Object.entries(end)) {
    if (bytes === 2) view.setUint16(Number(place), value, true)
    else view.setUint32(Number(place), value, true)
  }
  return concatBytes(...files, beforeDirectory, central, beforeEnd, last, comment)
}

function pack({ name, data = '', stored = false, packed, descriptor }: ZipSource): {
  readonly fields: ZipFields
  readonly packed: Uint8Array
} {
  const content = toBytes(data)
  const written = packed ?? (stored ? content : deflateSync(content, { mem: 4 }))
  const fields = {
    flags: FLAG_UTF8 | (descriptor === undefined ? 0 : FLAG_DESCRIPTOR),
    method: stored ? 0 : 8,
    crc: crc32(content),
    packedBytes: written.length,
    unpackedBytes: content.length,
    name: toBytes(name),
    extra: new Uint8Array(),
  }
  return { fields, packed: written }
}

function inLocal({ descriptor }: ZipSource): Partial<ZipFields> {
  return descriptor === undefined ? {} : { crc: 0, packedBytes: 0, unpackedBytes: 0 }
}

function tail({ descriptor }: ZipSource, { crc, packedBytes, unpackedBytes }: ZipFields): Uint8Array {
  if (descriptor === undefined) return new Uint8Array()
  const signature: readonly Field[] = descriptor === 'signed' ? [[4, 0x08074b50]] : []
  return numbers([...signature, [4, crc], [4, packedBytes], [4, unpackedBytes]])
}

function localHeader({ flags, method, crc, packedBytes, unpackedBytes, name, extra }: ZipFields): Uint8Array {
  const header = numbers([
    [4, 0x04034b50],
    [2, 20],
    [2, flags],
    [2, method],
    [4, 0],
    [4, crc],
    [4, packedBytes],
    [4, unpackedBytes],
    [2, name.length],
    [2, extra.length],
  ])
  return concatBytes(header, name, extra)
}

function centralHeader(
  fields: ZipFields & { readonly offset?: number; readonly disk?: number },
  { offset, source }: { readonly offset: number; readonly source: ZipSource },
): Uint8Array {
  const { flags, method, crc, packedBytes, unpackedBytes, name, extra } = fields
  const header = numbers([
    [4, 0x02014b50],
    [2, source.mode === undefined ? 20 : (3 << 8) | 20],
    [2, 20],
    [2, flags],
    [2, method],
    [4, 0],
    [4, crc],
    [4, packedBytes],
    [4, unpackedBytes],
    [2, name.length],
    [2, extra.length],
    [2, 0],
    [2, fields.disk ?? 0],
    [2, 0],
    [4, ((source.mode ?? 0) << 16) >>> 0],
    [4, fields.offset ?? offset],
  ])
  return concatBytes(header, name, extra)
}

type Field = readonly [bytes: 2 | 4, value: number]

/** Little-endian, one after another. */
function numbers(fields: readonly Field[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true)
    else view.setUint32(at, value, true)
    at += size
  }
  return bytes
}

function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? utf8Encode(data) : data
}
