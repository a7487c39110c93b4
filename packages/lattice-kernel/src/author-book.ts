/**
 * The authors of a store: their short numbers, and where their chains end.
 *
 * @module
 */
import { assert, type IdKey, idKey, type PublicKey, toPublicKey } from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'

export interface Author {
  readonly number: number
  readonly key: PublicKey
  /** Seqs of the tips: none before the first intention, several after a fork. */
  readonly tips: Set<number>
}

export interface AuthorBook {
  readonly find: (key: PublicKey) => Author | undefined
  readonly byNumber: (number: number) => Author
  /** The author, as a new one where it is not known. */
  readonly intern: (key: PublicKey) => Author
  readonly all: () => Iterable<Author>
  readonly size: () => number
  /** Replaces `parent` among the author's tips by `seq`; without a parent, adds it. */
  readonly advance: (author: Author, parent: number | undefined, seq: number) => void
  /** Takes an advance from `parent`, which was a tip if it is given, back. */
  readonly retreat: (author: Author, parent: number | undefined, seq: number) => void
  /** Inside a transaction: writes new authors and changed tips. When it fails, `load` brings back what is on disk. */
  readonly flush: () => void
  readonly load: () => void
}

/** How tips differ from those on disk: the work of a commit follows what changed, not how often an author forked. */
type TipChanges = Map<Author, { readonly gone: Set<number>; readonly come: Set<number> }>

export function createAuthorBook(database: Database): AuthorBook {
  let byKey = new Map<IdKey, Author>()
  let byNumber: Author[] = []
  let added: Author[] = []
  let changes: TipChanges = new Map()
  const insertAuthor = database.prepare('INSERT INTO authors VALUES (?, ?)')
  const insertTip = database.prepare('INSERT INTO tips VALUES (?, ?)')
  const deleteTip = database.prepare('DELETE FROM tips WHERE author = ? AND seq = ?')
  const allAuthors = database.prepare<{ readonly author: number; readonly key: Buffer }>(
    'SELECT * FROM authors ORDER BY author',
  )
  const allTips = database.prepare<{ readonly author: number; readonly seq: number }>('SELECT * FROM tips')

  function enter(key: PublicKey): Author {
    const author: Author = { number: byNumber.length, key, tips: new Set() }
    byNumber.push(author)
    byKey.set(idKey(key), author)
    return author
  }

  function authorAt(number: number): Author {
    const author = byNumber[number]
    assert(author !== undefined, 'every author number is in the book')
    return author
  }

  return {
    find: (key) => byKey.get(idKey(key)),
    byNumber: authorAt,
    intern: (key) => {
      const known = byKey.get(idKey(key))
      if (known !== undefined) return known
      // The key is a view of a larger buffer; the book outlives it.
      const author = enter(toPublicKey(key.slice()))
      added.push(author)
      return author
    },
    all: () => byNumber,
    size: () => byNumber.length,
    advance: (author, parent, seq) => {
      if (parent !== undefined) dropTip(changes, author, parent)
      putTip(changes, author, seq)
    },
    retreat: (author, parent, seq) => {
      dropTip(changes, author, seq)
      if (parent !== undefined) putTip(changes, author, parent)
    },
    flush: () => {
      for (const { number, key } of added) insertAuthor.run(number, key)
      for (const [{ number }, { gone, come }] of changes) {
        for (const seq of gone) deleteTip.run(number, seq)
        for (const seq of come) insertTip.run(number, seq)
      }
      added = []
      changes = new Map()
    },
    load: () => {
      byKey = new Map()
      byNumber = []
      added = []
      changes = new Map()
      for (const row of allAuthors.all()) {
        const author = enter(toPublicKey(toPlainBytes(row.key)))
        assert(author.number === row.author, 'author numbers have no gaps')
      }
      for (const { author, seq } of allTips.all()) authorAt(author).tips.add(seq)
    },
  }
}

function changesOf(changes: TipChanges, author: Author): { readonly gone: Set<number>; readonly come: Set<number> } {
  const known = changes.get(author) ?? { gone: new Set(), come: new Set() }
  changes.set(author, known)
  return known
}

function putTip(changes: TipChanges, author: Author, seq: number): void {
  if (author.tips.has(seq)) return
  author.tips.add(seq)
  const { gone, come } = changesOf(changes, author)
  if (!gone.delete(seq)) come.add(seq)
}

function dropTip(changes: TipChanges, author: Author, seq: number): void {
  if (!author.tips.delete(seq)) return
  const { gone, come } = changesOf(changes, author)
  if (!come.delete(seq)) gone.add(seq)
}
