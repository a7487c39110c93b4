/**
 * The checksum of zip files (CRC-32, ISO 3309), over pieces.
 *
 * @module
 */
const POLYNOMIAL = 0xedb88320
const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0)
  return value
})

/** The checksum of what `before` is the checksum of, followed by `bytes`; begins from 0. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before
  // By index: an iterator would take several times as long, and a bundle has many bytes.
  for (let at = 0; at < bytes.length; at += 1) crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0)
  return ~crc >>> 0
}
