/**
 * The bytes of a vector that is kept by itself: lanes as gaps, each with its position.
 *
 * @module
 */
import { appendVarint, type Cursor, type GrowingBytes, nextVarint } from './reach-varint.ts'
import { ABSENT, type LanePosition } from './reach-vector.ts'

/** Lanes ascend. */
export function encodeVector(entries: Iterable<LanePosition>): Uint8Array {
  const target: GrowingBytes = { bytes: new Uint8Array(16), length: 0 }
  let before = ABSENT
  for (const [lane, position] of entries) {
    appendVarint(target, lane - before - 1)
    appendVarint(target, position)
    before = lane
  }
  return target.bytes.slice(0, target.length)
}

export function decodeVector(bytes: Uint8Array): readonly LanePosition[] {
  const cursor: Cursor = { bytes, at: 0 }
  const entries: LanePosition[] = []
  let lane = ABSENT
  while (cursor.at < bytes.length) {
    lane += 1 + nextVarint(cursor)
    entries.push([lane, nextVarint(cursor)])
  }
  return entries
}
