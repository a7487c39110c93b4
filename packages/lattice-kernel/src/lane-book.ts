/**
 * The authors of a store, and the lanes of their chains.
 *
 * An author's intentions form a chain by `store_prev`, and a tree once the author forked. Each branch is a lane: it goes
 * on while the next intention follows its head, and one that follows anything else opens a lane of its own. So a place in
 * a store is a lane and a position on it, and positions along a lane follow each other whatever else the author did.
 *
 * Memory follows the number of lanes, never that of intentions.
 *
 * @module
 */
import { assert, type IdKey, idKey, type IntentionId, type PublicKey, toIntentionId, toPublicKey } from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'
import type { IntentionMeta, LogEntry } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'
import type { AuthorRow, LaneRow } from './log-schema.ts'

export interface Author {
  readonly number: number
  readonly key: PublicKey
  /** Seqs of the tips: the heads of its lanes. Several after a fork. */
  readonly tips: Set<number>
  /** Numbers of its lanes, ascending. */
  readonly lanes: number[]
}

/** A branch of an author's chain. */
export interface Lane {
  readonly number: number
  readonly author: number
  /** Where it branched off: the genesis for an author's first lane. The genesis' own has none. */
  readonly parent: Place | undefined
  readonly head: LaneHead
}

/** Where an intention stands: its lane, and the number of intentions before it on its way to the genesis. */
export interface Place {
  readonly lane: number
  readonly position: number
}

export interface LaneHead {
  readonly seq: number
  readonly position: number
  readonly id: IntentionId
}

export interface LaneBook extends LogIndex {
  readonly find: (key: PublicKey) => Author | undefined
  readonly byNumber: (number: number) => Author
  readonly all: () => Iterable<Author>
  readonly size: () => number
  readonly lane: (number: number) => Lane
  readonly lanes: () => readonly Lane[]
  /** Author and lane of the next record; new numbers, taken when it is appended, where it begins something. */
  readonly placeNext: (author: PublicKey, parent: IntentionMeta | undefined) => { author: number; lane: number }
  /** True when a record that opens this lane forks its author's chain. */
  readonly isFork: (author: number, lane: number) => boolean
}

interface OpenLane extends Lane {
  head: LaneHead
}

export type FindMeta = (id: IntentionId) => IntentionMeta | undefined

export function createLaneBook(database: Database, find: FindMeta): LaneBook {
  const book = new Book()
  const rows = createLaneRows(database)
  return {
    find: (key) => book.find(key),
    byNumber: (number) => book.author(number),
    all: () => book.authors,
    size: () => book.authors.length,
    lane: (number) => book.lane(number),
    lanes: () => book.lanes,
    placeNext: (key, parent) => {
      const author = book.find(key)?.number ?? book.authors.length
      const goesOn = parent?.author === author && book.lane(parent.lane).head.seq === parent.seq
      return { author, lane: goesOn ? parent.lane : book.lanes.length }
    },
    isFork: (author, lane) => lane === book.lanes.length && (book.authors[author]?.tips.size ?? 0) > 0,
    advance: (entry) => {
      if (entry.meta.lane < book.lanes.length) book.extend(entry)
      else book.open(entry, placeOfParent(entry, find))
    },
    retreat: () => book.takeBack(),
    checkpoint: () => {
      rows.write(book)
      book.saved()
    },
    load: () => {
      book.clear()
      rows.read(book)
      book.saved()
    },
  }
}

function placeOfParent({ meta, parsed }: LogEntry, find: FindMeta): Place | undefined {
  if (meta.position === 0) return undefined
  const parent = find(toIntentionId(parsed.intention.storePrev))
  assert(parent !== undefined, 'store_prev is witnessed')
  return { lane: parent.lane, position: parent.position }
}

/** The book in memory, and what of it is not on disk. */
class Book {
  authors: Author[] = []
  lanes: OpenLane[] = []
  storedAuthors = 0
  changed: Set<OpenLane> = new Set()
  #byKey: Map<IdKey, Author> = new Map()
  #undo: (() => void) | undefined

  find(key: PublicKey): Author | undefined {
    return this.#byKey.get(idKey(key))
  }

  author(number: number): Author {
    const author = this.authors[number]
    assert(author !== undefined, 'every author number is in the book')
    return author
  }

  lane(number: number): OpenLane {
    const lane = this.lanes[number]
    assert(lane !== undefined, 'every lane number is in the book')
    return lane
  }

  enter(key: PublicKey, number: number): Author {
    assert(number === this.authors.length, 'author numbers have no gaps')
    // The key is a view of a larger buffer; the book outlives it.
    const author: Author = { number, key: toPublicKey(key.slice()), tips: new Set(), lanes: [] }
    this.authors.push(author)
    this.#byKey.set(idKey(key), author)
    return author
  }

  add(lane: OpenLane): void {
    assert(lane.number === this.lanes.length, 'lane numbers have no gaps')
    this.lanes.push(lane)
    const author = this.author(lane.author)
    author.tips.add(lane.head.seq)
    author.lanes.push(lane.number)
  }

  /** A record that follows its lane's head. */
  extend(entry: LogEntry): void {
    const { meta } = entry
    const lane = this.lane(meta.lane)
    const { tips } = this.author(meta.author)
    const before = lane.head
    assert(before.position + 1 === meta.position && lane.author === meta.author, 'a lane goes on from its head')
    const wasChanged = this.changed.has(lane)
    tips.delete(before.seq)
    tips.add(meta.seq)
    lane.head = headOf(entry)
    this.changed.add(lane)
    this.#undo = () => {
      tips.delete(meta.seq)
      tips.add(before.seq)
      lane.head = before
      if (!wasChanged) this.changed.delete(lane)
    }
  }

  /** A record that begins a lane, and perhaps an author. */
  open(entry: LogEntry, parent: Place | undefined): void {
    const { meta, parsed } = entry
    const isNew = meta.author === this.authors.length
    const author = isNew ? this.enter(parsed.intention.author, meta.author) : this.author(meta.author)
    const lane: OpenLane = { number: meta.lane, author: meta.author, parent, head: headOf(entry) }
    this.add(lane)
    this.changed.add(lane)
    this.#undo = () => {
      this.lanes.pop()
      this.changed.delete(lane)
      author.tips.delete(meta.seq)
      author.lanes.pop()
      if (!isNew) return
      this.authors.pop()
      this.#byKey.delete(idKey(author.key))
    }
  }

  takeBack(): void {
    assert(this.#undo !== undefined, 'one advance is taken back')
    this.#undo()
    this.#undo = undefined
  }

  saved(): void {
    this.storedAuthors = this.authors.length
    this.changed = new Set()
    this.#undo = undefined
  }

  clear(): void {
    this.authors = []
    this.lanes = []
    this.#byKey = new Map()
  }
}

function headOf({ meta, parsed }: LogEntry): LaneHead {
  return { seq: meta.seq, position: meta.position, id: parsed.id }
}

interface LaneRows {
  readonly read: (book: Book) => void
  readonly write: (book: Book) => void
}

function createLaneRows(database: Database): LaneRows {
  const insertAuthor = database.prepare('INSERT INTO authors VALUES (?, ?)')
  const putLane = database.prepare('INSERT OR REPLACE INTO lanes VALUES (?, ?, ?, ?, ?, ?, ?)')
  const allAuthors = database.prepare<AuthorRow>('SELECT * FROM authors ORDER BY author')
  const allLanes = database.prepare<LaneRow>('SELECT * FROM lanes ORDER BY lane')
  return {
    read: (book) => {
      for (const { author, key } of allAuthors.all()) book.enter(toPublicKey(toPlainBytes(key)), author)
      for (const row of allLanes.all()) book.add(laneOfRow(row))
    },
    write: ({ authors, storedAuthors, changed }) => {
      for (const { number, key } of authors.slice(storedAuthors)) insertAuthor.run(number, key)
      for (const { number, author, parent, head } of changed) {
        const { seq, position, id } = head
        putLane.run(number, author, parent?.lane ?? null, parent?.position ?? null, seq, position, id)
      }
    },
  }
}

function laneOfRow(row: LaneRow): OpenLane {
  const { lane: number, author, parent_lane: lane, parent_position: position } = row
  return {
    number,
    author,
    parent: lane === null || position === null ? undefined : { lane, position },
    head: { seq: row.head_seq, position: row.head_position, id: toIntentionId(toPlainBytes(row.head_id)) },
  }
}
