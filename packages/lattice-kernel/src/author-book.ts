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

export function createAuthorBook(database: Database): AuthorBook {
  let byKey = new Map<IdKey, Author>()
  let byNumber: Author[] = []
  let added: Author[] = []
  // Tips that changed, by author, as they are on disk.
  let before = new Map<Author, ReadonlySet<number>>()
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
      if (!before.has(author)) before.set(author, new Set(author.tips))
      if (parent !== undefined) author.tips.delete(parent)
      author.tips.add(seq)
    },
    retreat: (author, parent, seq) => {
      author.tips.delete(seq)
      if (parent !== undefined) author.tips.add(parent)
    },
    flush: () => {
      for (const { number, key } of added) insertAuthor.run(number, key)
      for (const [author, tips] of before) {
        for (const seq of tips) if (!author.tips.has(seq)) deleteTip.run(author.number, seq)
        for (const seq of author.tips) if (!tips.has(seq)) insertTip.run(author.number, seq)
      }
      added = []
      before = new Map()
    },
    load: () => {
      byKey = new Map()
      byNumber = []
      added = []
      before = new Map()
      for (const row of allAuthors.all()) {
        const author = enter(toPublicKey(toPlainBytes(row.key)))
        assert(author.number === row.author, 'author numbers have no gaps')
      }
      for (const { author, seq } of allTips.all()) authorAt(author).tips.add(seq)
    },
  }
}
