/**
 * The maximal elements of the witnessed DAG: what nothing cites yet.
 *
 * @module
 */
import { type IdKey, idKey, idKeyBytes, type IntentionId, toIntentionId } from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'
import type { LogTip } from './log-entry.ts'
import type { LogIndex } from './log-index.ts'
import type { FrontierRow } from './log-schema.ts'

export interface Frontier extends LogIndex {
  /** Sorted. */
  readonly ids: () => readonly IntentionId[]
  /** Makes it these: what counts is another set. Nothing is taken back after it. */
  readonly replace: (entries: readonly LogTip[]) => void
}

export function createFrontier(database: Database): Frontier {
  let members = new Map<IdKey, number>()
  let added = new Map<number, IdKey>()
  let removed = new Set<number>()
  // What the last advance took out, and whether it had a row.
  let cited: { readonly key: IdKey; readonly seq: number; readonly stored: boolean }[] = []
  const insert = database.prepare('INSERT INTO frontier VALUES (?, ?)')
  const remove = database.prepare('DELETE FROM frontier WHERE seq = ?')
  const all = database.prepare<FrontierRow>('SELECT seq, id FROM frontier')

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
    advance: ({ parsed: { id, intention }, meta: { seq } }) => {
      cited = []
      cite(intention.storePrev)
      for (const dep of intention.causalDeps) cite(dep)
      const key = idKey(id)
      members.set(key, seq)
      added.set(seq, key)
    },
    retreat: ({ parsed: { id }, meta }) => {
      members.delete(idKey(id))
      added.delete(meta.seq)
      for (const { key, seq, stored } of cited) {
        members.set(key, seq)
        if (stored) removed.delete(seq)
        else added.set(seq, key)
      }
      cited = []
    },
    replace: (entries) => {
      const next = new Map(entries.map(({ parsed, meta }) => [idKey(parsed.id), meta.seq] as const))
      for (const [key, seq] of members) {
        if (next.has(key)) continue
        if (!added.delete(seq)) removed.add(seq)
      }
      for (const [key, seq] of next) {
        if (members.has(key)) continue
        if (!removed.delete(seq)) added.set(seq, key)
      }
      members = next
      cited = []
    },
    checkpoint: () => {
      for (const seq of removed) remove.run(seq)
      for (const [seq, key] of added) insert.run(seq, idKeyBytes(key))
      added = new Map()
      removed = new Set()
      cited = []
    },
    load: () => {
      members = new Map()
      added = new Map()
      removed = new Set()
      cited = []
      for (const { seq, id } of all.all()) members.set(idKey(toPlainBytes(id)), seq)
    },
  }
}
