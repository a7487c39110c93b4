/**
 * Pages to stored bytes and back. Nothing that comes back is believed: form and checksum are checked here, level,
 * number of items and sum against what the parent says, so that damage is found by whoever comes by and not summed up.
 *
 * @module
 */
import { assert, err, ok, type Result } from '@lattice/model'
import {
  CHECKSUM_OFFSET,
  checksumOf,
  HEADER_BYTES,
  LAYOUT_VERSION,
  LEVEL_OFFSET,
  NODE_BYTES_LIMIT,
  NODE_BYTES_MIN,
  readUint48,
  recordBytesOf,
  RECORDS_OFFSET,
  recordsMaxOf,
  writeUint48,
} from './node-layout.ts'
import { NodePage } from './node-page.ts'
import { HEAD_NODE, type NodeProblem } from './node-store.ts'
import { createSum, isZeroSum } from './sum-limbs.ts'

/** Where a tree starts. */
export interface TreeHead {
  readonly nodeBytesMax: number
  /** Number of the next new node. */
  readonly nextNode: number
  /** One record above the root: so the root, too, has a parent that says what it adds up to. */
  readonly top: NodePage
}

/** Levels of the tallest tree: far beyond what 2^48 items need. */
const LEVELS_MAX = 64
/** Behind the header's fields: longest node, next node, the top's record. */
const NODE_BYTES_OFFSET = HEADER_BYTES
const NEXT_NODE_OFFSET: number = NODE_BYTES_OFFSET + 2
const TOP_OFFSET: number = NEXT_NODE_OFFSET + 6
const HEAD_BYTES: number = TOP_OFFSET + recordBytesOf(1)

export function encodePage(page: NodePage): Uint8Array {
  return seal(page.toBytes(), page)
}

/** The page in `bytes`, which it keeps. */
export function decodePage(node: number, bytes: Uint8Array, nodeBytesMax: number): Result<NodePage, NodeProblem> {
  const view = viewOf(bytes)
  if (bytes.length < HEADER_BYTES || bytes[0] !== LAYOUT_VERSION) return err('malformed')
  const level = view.getUint8(LEVEL_OFFSET)
  const count = view.getUint16(RECORDS_OFFSET)
  const recordsMax = recordsMaxOf(nodeBytesMax, level)
  if (level > LEVELS_MAX || count > recordsMax) return err('malformed')
  if (bytes.length !== HEADER_BYTES + count * recordBytesOf(level)) return err('malformed')
  if (view.getUint32(CHECKSUM_OFFSET) !== checksumOf(view, node)) return err('checksum')
  return ok(new NodePage({ node, level, count, recordsMax, bytes }))
}

/** Whether a page is what the record above it says. Only the root may be empty, and only as a leaf. */
export function problemWith(page: NodePage, parent: NodePage, slot: number): NodeProblem | undefined {
  if (page.level !== parent.level - 1) return 'level'
  if (page.items() !== parent.itemsAt(slot)) return 'count'
  if (page.count === 0 && page.level > 0) return 'malformed'
  const difference = createSum()
  page.addSums(difference, 0, page.count)
  parent.subtractSums(difference, slot, slot + 1)
  return isZeroSum(difference) ? undefined : 'sum'
}

export function encodeHead({ nodeBytesMax, nextNode, top }: TreeHead): Uint8Array {
  assert(top.count === 1, 'the top leads to the root')
  const bytes = new Uint8Array(HEAD_BYTES)
  const view = viewOf(bytes)
  view.setUint16(NODE_BYTES_OFFSET, nodeBytesMax)
  writeUint48(view, NEXT_NODE_OFFSET, nextNode)
  bytes.set(top.toBytes().subarray(HEADER_BYTES), TOP_OFFSET)
  return seal(bytes, top)
}

export function decodeHead(bytes: Uint8Array): Result<TreeHead, NodeProblem> {
  const view = viewOf(bytes)
  if (bytes.length !== HEAD_BYTES || bytes[0] !== LAYOUT_VERSION) return err('malformed')
  if (view.getUint32(CHECKSUM_OFFSET) !== checksumOf(view, HEAD_NODE)) return err('checksum')
  const level = view.getUint8(LEVEL_OFFSET)
  const nodeBytesMax = view.getUint16(NODE_BYTES_OFFSET)
  const isSound =
    level >= 1 && level <= LEVELS_MAX && view.getUint16(RECORDS_OFFSET) === 1 && nodeBytesMax >= NODE_BYTES_MIN
  if (!isSound) return err('malformed')
  const top = createTop(level, bytes.subarray(TOP_OFFSET))
  return ok({ nodeBytesMax, nextNode: readUint48(view, NEXT_NODE_OFFSET), top })
}

/** The page above a root at `level - 1`, of one record: given as stored, or to be inserted. */
export function createTop(level: number, record?: Uint8Array): NodePage {
  assert(level >= 1 && level <= LEVELS_MAX, 'a tree is not that tall')
  const top = { node: HEAD_NODE, level, recordsMax: 1 }
  if (record === undefined) return new NodePage({ ...top, count: 0 })
  const bytes = new Uint8Array(HEADER_BYTES + record.length)
  bytes.set(record, HEADER_BYTES)
  const page = new NodePage({ ...top, count: 1, bytes })
  page.own()
  return page
}

function seal(bytes: Uint8Array, page: NodePage): Uint8Array {
  assert(bytes.length <= NODE_BYTES_LIMIT, 'a node is not longer than its header can say')
  const view = viewOf(bytes)
  view.setUint8(0, LAYOUT_VERSION)
  view.setUint8(LEVEL_OFFSET, page.level)
  view.setUint16(RECORDS_OFFSET, page.count)
  view.setUint32(CHECKSUM_OFFSET, checksumOf(view, page.node))
  return bytes
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
