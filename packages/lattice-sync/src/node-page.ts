/**
 * One node in memory, as its bytes: searching, adding up and moving records without an object per record.
 *
 * The bytes of a page that was read belong to the store until the page is owned; then they are its own, with room for
 * one record too many, so that an insert comes first and a split after it.
 *
 * @module
 */
import { assert, HASH_BYTES, toHash } from '@lattice/model'
import type { Item } from './item.ts'
import {
  CHILD_OFFSET,
  HEADER_BYTES,
  ID_OFFSET,
  ITEMS_OFFSET,
  type Key,
  KEY_BYTES,
  readUint48,
  recordBytesOf,
  writeUint48,
} from './node-layout.ts'
import {
  addBytes,
  addRecords,
  createSum,
  subtractBytes,
  type SumLimbs,
  type SumRecords,
  writeSum,
} from './sum-limbs.ts'

/** What a page is made of. */
export interface NodePageOptions {
  readonly node: number
  readonly level: number
  /** Records there are, and most there may be between two calls of the tree. */
  readonly count: number
  readonly recordsMax: number
  /** Header and records, to be kept as they are; a page without has room of its own. */
  readonly bytes?: Uint8Array
}

/** A leaf (level 0) or an inner node. */
export class NodePage {
  readonly node: number
  readonly level: number
  readonly recordsMax: number
  /** Seen since the cache last looked for something to evict. */
  isReferenced = false
  readonly #recordBytes: number
  /** Where a record's sum is: an item's id, or a child's sum. */
  readonly #sumOffset: number
  #count: number
  #bytes: Uint8Array
  #view: DataView
  #isOwned: boolean

  constructor({ node, level, count, recordsMax, bytes }: NodePageOptions) {
    this.node = node
    this.level = level
    this.recordsMax = recordsMax
    this.#recordBytes = recordBytesOf(level)
    this.#sumOffset = level === 0 ? ID_OFFSET : KEY_BYTES
    this.#count = count
    this.#isOwned = bytes === undefined
    this.#bytes = bytes ?? new Uint8Array(this.#roomBytes())
    this.#view = viewOf(this.#bytes)
  }

  /** Records there are. */
  get count(): number {
    return this.#count
  }

  /** Makes the bytes the page's own, to be written to. */
  own(): void {
    if (this.#isOwned) return
    const bytes = new Uint8Array(this.#roomBytes())
    bytes.set(this.#bytes)
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.#isOwned = true
  }

  /** A copy of header and records; the header is for the codec to fill. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#at(this.#count))
  }

  /** Negative, zero or positive as the record sorts before, with or after `key`. */
  compareAt(index: number, key: Key): number {
    const at = this.#at(index)
    const view = this.#view
    for (let offset = 0; offset < KEY_BYTES - 2; offset += 4) {
      const difference = view.getUint32(at + offset) - key.getUint32(offset)
      if (difference !== 0) return difference
    }
    return view.getUint16(at + KEY_BYTES - 2) - key.getUint16(KEY_BYTES - 2)
  }

  /** The first record not before `key`. */
  lowerBound(key: Key): number {
    let begin = 0
    let end = this.#count
    while (begin < end) {
      const middle = (begin + end) >>> 1
      if (this.compareAt(middle, key) < 0) begin = middle + 1
      else end = middle
    }
    return begin
  }

  /** The child whose range `key` falls into. What lies before the first record's key belongs to the first child too. */
  childFor(key: Key): number {
    let begin = 1
    let end = this.#count
    while (begin < end) {
      const middle = (begin + end) >>> 1
      if (this.compareAt(middle, key) <= 0) begin = middle + 1
      else end = middle
    }
    return begin - 1
  }

  holdsAt(index: number, key: Key): boolean {
    return index < this.#count && this.compareAt(index, key) === 0
  }

  /** The key of a record; a view, not to be kept. */
  keyAt(index: number): Key {
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#at(index), KEY_BYTES)
  }

  /** The key of a record, in memory of its own. */
  copyKey(index: number): Key {
    return viewOf(this.#bytes.slice(this.#at(index), this.#at(index) + KEY_BYTES))
  }

  /** The item of a leaf's record, in memory of its own. */
  itemAt(index: number): Item {
    assert(this.level === 0 && index < this.#count, 'an item is in a leaf')
    const at = this.#at(index)
    const idAt = at + ID_OFFSET
    return { timestamp: readUint48(this.#view, at), id: toHash(this.#bytes.slice(idAt, idAt + HASH_BYTES)) }
  }

  /** Number of the child of an inner record. */
  childAt(index: number): number {
    return readUint48(this.#view, this.#at(index) + CHILD_OFFSET)
  }

  /** Items below a record: one in a leaf. */
  itemsAt(index: number): number {
    return this.level === 0 ? 1 : readUint48(this.#view, this.#at(index) + ITEMS_OFFSET)
  }

  /** Items below all records. */
  items(): number {
    if (this.level === 0) return this.#count
    let items = 0
    for (let index = 0; index < this.#count; index += 1) items += this.itemsAt(index)
    return items
  }

  /** Adds what the records from `begin` up to `end` add up to. */
  addSums(sum: SumLimbs, begin: number, end: number): void {
    if (begin < end) addRecords(sum, 1, this.#summands(begin, end))
  }

  /** Takes away what the records from `begin` up to `end` add up to. */
  subtractSums(sum: SumLimbs, begin: number, end: number): void {
    if (begin < end) addRecords(sum, -1, this.#summands(begin, end))
  }

  /** Counts an item in that goes below an inner record. */
  countIn(index: number, key: Key): void {
    this.#change(index, 1, (sum) => addBytes(sum, key, ID_OFFSET))
  }

  /** Counts an item out that was below an inner record. */
  countOut(index: number, key: Key): void {
    this.#change(index, -1, (sum) => subtractBytes(sum, key, ID_OFFSET))
  }

  /** Inserts an item into a leaf. */
  insertItem(index: number, key: Key): void {
    assert(this.level === 0, 'items go into leaves')
    this.#openGap(index)
    this.setKey(index, key)
  }

  /** Inserts a child into an inner node, under its first key. */
  insertChild(index: number, child: NodePage): void {
    assert(this.level === child.level + 1, 'a child is one level below')
    this.#openGap(index)
    this.setKey(index, child.keyAt(0))
    writeUint48(this.#view, this.#at(index) + CHILD_OFFSET, child.node)
    this.setTotals(index, child)
  }

  /** Writes what a child adds up to. */
  setTotals(index: number, child: NodePage): void {
    assert(child.node === this.childAt(index), 'totals are those of the child')
    const sum = createSum()
    child.addSums(sum, 0, child.count)
    const at = this.#at(index)
    writeSum(sum, this.#view, at + this.#sumOffset)
    writeUint48(this.#view, at + ITEMS_OFFSET, child.items())
  }

  setKey(index: number, key: Key): void {
    assert(this.#isOwned, 'a page is owned before it is written to')
    this.#bytes.set(new Uint8Array(key.buffer, key.byteOffset, KEY_BYTES), this.#at(index))
  }

  removeRecord(index: number): void {
    assert(this.#isOwned && index < this.#count, 'a page is owned before it is written to')
    this.#bytes.copyWithin(this.#at(index), this.#at(index + 1), this.#at(this.#count))
    this.#count -= 1
  }

  /** Moves the records from `begin` on to the start of `right`. */
  moveTail(begin: number, right: NodePage): void {
    const moved = this.#count - begin
    assert(this.#isOwned && right.#isOwned && moved >= 0, 'a page is owned before it is written to')
    assert(moved + right.#count <= right.recordsMax, 'what is moved fits')
    right.#bytes.copyWithin(right.#at(moved), right.#at(0), right.#at(right.#count))
    right.#bytes.set(this.#bytes.subarray(this.#at(begin), this.#at(this.#count)), right.#at(0))
    right.#count += moved
    this.#count = begin
  }

  /** Moves the first `moved` records to the end of `left`. */
  moveHead(moved: number, left: NodePage): void {
    assert(this.#isOwned && left.#isOwned && moved <= this.#count, 'a page is owned before it is written to')
    assert(moved + left.#count <= left.recordsMax, 'what is moved fits')
    left.#bytes.set(this.#bytes.subarray(this.#at(0), this.#at(moved)), left.#at(left.#count))
    this.#bytes.copyWithin(this.#at(0), this.#at(moved), this.#at(this.#count))
    left.#count += moved
    this.#count -= moved
  }

  #change(index: number, items: number, change: (sum: SumLimbs) => void): void {
    assert(this.#isOwned && this.level > 0, 'a page is owned before it is written to')
    const at = this.#at(index)
    const sum = createSum()
    addBytes(sum, this.#view, at + this.#sumOffset)
    change(sum)
    writeSum(sum, this.#view, at + this.#sumOffset)
    writeUint48(this.#view, at + ITEMS_OFFSET, readUint48(this.#view, at + ITEMS_OFFSET) + items)
  }

  #openGap(index: number): void {
    assert(this.#isOwned && index <= this.#count, 'a page is owned before it is written to')
    assert(this.#count <= this.recordsMax, 'a page holds at most one record too many')
    this.#bytes.copyWithin(this.#at(index + 1), this.#at(index), this.#at(this.#count))
    this.#count += 1
  }

  #summands(begin: number, end: number): SumRecords {
    return {
      view: this.#view,
      offset: this.#at(begin) + this.#sumOffset,
      stride: this.#recordBytes,
      count: end - begin,
    }
  }

  #at(index: number): number {
    return HEADER_BYTES + index * this.#recordBytes
  }

  #roomBytes(): number {
    return this.#at(this.recordsMax + 1)
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
