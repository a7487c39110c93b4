/**
 * What a pruned log says of what is gone, for those who walk through its records: what to begin with, and whether this
 * node vouches for it.
 *
 * @module
 */
import {
  type Crypto,
  idKey,
  type IdKey,
  type IntentionId,
  type PublicKey,
  type StoreId,
  toHash,
  toIntentionId,
  toPublicKey,
  verifyTagged,
} from '@lattice/model'
import { type Database, toPlainBytes } from '@lattice/storage'
import { baseHash, type EarlyRecord } from './base-signature.ts'
import { type Anchor, baseAnchors, baseLanes, baseSpans, createPrunedBase, type PrunedBase } from './log-base.ts'
import { IN_SET } from './prune-schema.ts'
import { reasonOf } from './record-scan.ts'

/** How a record before the base is kept. */
export type EarlyKind = 'set' | 'vouches' | 'tail' | 'gone'

export interface BaseSeed {
  readonly base: PrunedBase
  readonly fromSeq: number
  readonly prevHash: Uint8Array
  readonly goneCount: number
  /** Rows of what is gone may still be there. */
  readonly isDeleting: boolean
  /** Records that are here to vouch for others alone. */
  readonly vouching: number
  readonly authors: readonly { readonly number: number; readonly key: PublicKey }[]
  readonly anchors: () => IterableIterator<Anchor>
  readonly kindOf: (id: IntentionId, place: Parameters<PrunedBase['isBelow']>[0]) => EarlyKind
  /** What is wrong with what this node vouches for; `early`: the records kept before the base, ascending. */
  readonly check: (early: readonly EarlyRecord[]) => readonly string[]
}

export interface BaseSeedDeps {
  readonly database: Database
  readonly crypto: Crypto
  readonly storeId: StoreId
  readonly witnessKey: PublicKey
}

/** Undefined for a log that was never pruned; a sentence where it cannot be read. */
export function readBaseSeed(deps: BaseSeedDeps): BaseSeed | string | undefined {
  try {
    return seedOf(deps)
  } catch (error) {
    return `log_base: ${reasonOf(error)}`
  }
}

function seedOf({ database, crypto, storeId, witnessKey }: BaseSeedDeps): BaseSeed | undefined {
  const base = createPrunedBase(database)
  base.load()
  const row = base.row()
  if (row === undefined) return undefined
  const stays = new Map<IdKey, number>()
  for (const anchor of baseAnchors(database, row.number)) {
    if (anchor.stays > 0) stays.set(idKey(toPlainBytes(anchor.id)), anchor.stays)
  }
  const authors = new Map(base.lanes().map(({ author, key }) => [author, toPublicKey(toPlainBytes(key))] as const))
  return {
    base,
    fromSeq: row.from_seq,
    prevHash: toPlainBytes(row.prev_hash),
    goneCount: row.gone_count,
    isDeleting: row.deleted_to !== null,
    vouching: [...stays.values()].filter((kind) => kind !== IN_SET).length,
    authors: [...authors].map(([number, key]) => ({ number, key })),
    anchors: function* anchors() {
      for (const { id } of baseAnchors(database, row.number)) {
        const anchor = base.find(toIntentionId(toHash(toPlainBytes(id))))
        if (anchor !== undefined) yield anchor
      }
    },
    kindOf: (id, place) => {
      const kind = stays.get(idKey(id))
      if (kind !== undefined) return kind === IN_SET ? 'set' : 'vouches'
      return base.isBelow(place) ? 'gone' : 'tail'
    },
    check: (early) => {
      try {
        const hash = baseHash(crypto, storeId, {
          base: row,
          lanes: baseLanes(database, row.number),
          spans: baseSpans(database, row.number),
          anchors: baseAnchors(database, row.number),
          early,
        })
        const signed = { tag: 'lattice/witness/v1', hash, signature: toPlainBytes(row.signature) } as const
        const isVouched = verifyTagged(crypto, witnessKey, signed)
        return isVouched ? [] : ["this node's signature of where the log begins fails"]
      } catch (error) {
        return [reasonOf(error)]
      }
    },
  }
}
