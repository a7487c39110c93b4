/**
 * The maximal elements of the witnessed DAG: what nothing cites yet.
 *
 * @module
 */
import { type IdKey, idKey, idKeyBytes, type IntentionId, type ParsedIntention, toIntentionId } from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'

export interface Frontier {
  /** Sorted. */
  readonly ids: () => readonly IntentionId[]
  /** Adds a witnessed intention and takes out what it cites. */
  readonly advance: (parsed: ParsedIntention, seq: number) => void
  /** Takes the last advance back. */
  readonly retreat: (id: IntentionId, seq: number) => void
  /** Inside a transaction: writes what changed. */
  readonly flush: () => void
  readonly load: () => void
}

export function createFrontier(database: Database): Frontier {
  let members = new Map<IdKey, number>()
  let added = new Set<number>()
  let removed = new Set<number>()
  // What the last advance took out, and whether it had a row.
  let cited: { readonly key: IdKey; readonly seq: number; readonly stored: boolean }[] = []
  const insert = database.prepare('INSERT INTO frontier VALUES (?)')
  const remove = database.prepare('DELETE FROM frontier WHERE seq = ?')
  const all = database.prepare<{ readonly seq: number; readonly id: Buffer }>(
    'SELECT f.seq, i.id FROM frontier f JOIN intentions i ON i.seq = f.seq',
  )

  function cite(id: Uint8Array): void {
    const key = idKey(id)
    const seq = members.get(key)
    if (seq === undefined) return
    members.delete(key)
    const stored = !added.delete(seq)
    if (stored) removed.add(seq)
    cited.push({ key, seq, stored })
  }

  return {
    ids: () => [...members.keys()].sort().map((key) => toIntentionId(idKeyBytes(key))),
    advance: ({ id, intention }, seq) => {
      cited = []
      cite(intention.storePrev)
      for (const dep of intention.causalDeps) cite(dep)
      members.set(idKey(id), seq)
      added.add(seq)
    },
    retreat: (id, last) => {
      members.delete(idKey(id))
      added.delete(last)
      for (const { key, seq, stored } of cited) {
        members.set(key, seq)
        if (stored) removed.delete(seq)
        else added.add(seq)
      }
      cited = []
    },
    flush: () => {
      for (const seq of removed) remove.run(seq)
      for (const seq of added) insert.run(seq)
      added = new Set()
      removed = new Set()
    },
    load: () => {
      members = new Map()
      added = new Set()
      removed = new Set()
      for (const { seq, id } of all.all()) members.set(idKey(toPlainBytes(id)), seq)
    },
  }
}
