/**
 * History that a model store cut: what it keeps below its base, and what it gives to who makes the store anew.
 *
 * Its foundation is for tests: the records that are kept, and of every chain the ids below the base.
 *
 * @module
 */
import {
  assert,
  type Cancel,
  compareBytes,
  type Crypto,
  fromHex,
  type Hash,
  type IdKey,
  idKey,
  idKeyBytes,
  type IntentionId,
  isGenesis,
  type ParsedIntention,
  parseSignedIntention,
  toHash,
  toHex,
  toIntentionId,
  type PublicKey,
} from '@lattice/model'
import type { PrunedReplica, ReplicaBase, ReplicaDigest, SnapshotRow } from '@lattice/net-types'
import { addInto, createMemoryRangeIndex } from '@lattice/sync'

export interface ModelLog {
  readonly crypto: Crypto
  readonly witnessed: Map<IdKey, { readonly parsed: ParsedIntention; readonly seq: number }>
  readonly chains: Map<IdKey, ParsedIntention[]>
  readonly pastOf: (ids: readonly IntentionId[]) => ReadonlySet<IdKey>
  /** Of everything that is kept. */
  readonly digest: () => ReplicaDigest
  /** Some of it is gone, or all is new. */
  readonly onCut: () => void
}

export interface ModelSnapshot {
  readonly epoch: IntentionId
  readonly rows: readonly SnapshotRow[]
}

export interface ModelBase extends PrunedReplica {
  /** These are records, with the numbers of the epochs among them: kept for ever, and bases where nodes cut there. */
  readonly declare: (records: ReadonlyMap<IdKey, bigint>) => void
  /** Cuts the history at an epoch that was declared. */
  readonly prune: (epoch: IntentionId) => void
  readonly isAnchor: (key: IdKey) => boolean
  /** The first seq from which the log is unbroken. */
  readonly fromSeq: () => number
  readonly setSnapshot: (snapshot: ModelSnapshot | undefined) => void
  /** Takes what a foundation says, in place of everything. */
  readonly found: (items: readonly Uint8Array[]) => void
}

/** What an item of a model foundation says. */
type Item =
  | { readonly kind: 'base'; readonly epoch: string; readonly seq: string; readonly gone: number }
  | { readonly kind: 'chain'; readonly author: string; readonly ids: readonly string[] }
  | { readonly kind: 'record'; readonly bytes: string; readonly signature: string }

/** Of rows, as the model has it: a hash of all of them in order. */
export function rootOf(crypto: Crypto, rows: readonly SnapshotRow[]): Hash {
  return toHash(crypto.blake3(...rows.flatMap(({ table, key, value }) => [tag(table, key, value), key, value])))
}

function tag(table: string, key: Uint8Array, value: Uint8Array): Uint8Array {
  return Uint8Array.of(table === 'app' ? 1 : 0, key.length, value.length >> 8, value.length & 0xff)
}

export function encodeItem(item: Item): Uint8Array {
  return Uint8Array.from(JSON.stringify(item), (char) => char.charCodeAt(0))
}

export function decodeItem(bytes: Uint8Array): Item | undefined {
  try {
    return JSON.parse(String.fromCharCode(...bytes)) as Item
  } catch {
    return undefined
  }
}

/** What is left of an intention that is gone. */
function placeOf(id: IntentionId, author: PublicKey): ParsedIntention {
  return { id, intention: { author, storePrev: id, causalDeps: [id] } } as unknown as ParsedIntention
}

export function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array(0)
}

export const compareRows = (a: Pick<SnapshotRow, 'table' | 'key'>, b: Pick<SnapshotRow, 'table' | 'key'>): number =>
  a.table === b.table ? compareBytes(a.key, b.key) : a.table === 'app' ? 1 : -1

export function createModelBase({ crypto, witnessed, chains, pastOf, digest, onCut }: ModelLog): ModelBase {
  let records: ReadonlyMap<IdKey, bigint> = new Map()
  let base: ReplicaBase | undefined
  let baseSeq = 0
  let snapshot: (ModelSnapshot & { readonly root: Hash }) | undefined
  const anchors = new Set<IdKey>()
  const listeners = new Set<() => void>()
  let foundation: readonly Uint8Array[] = []

  /** What is left of what is here over an epoch. */
  function goneOver(epoch: IntentionId): readonly IdKey[] {
    return [...pastOf([epoch])].filter((key) => {
      const found = witnessed.get(key)
      return found !== undefined && !records.has(key) && !isGenesis(found.parsed.intention)
    })
  }
  function over(epoch: IntentionId): ReturnType<PrunedReplica['over']> {
    const key = idKey(epoch)
    if (!witnessed.has(key) || !records.has(key)) return undefined
    if (base !== undefined && (idKey(base.epoch) === key || !pastOf([epoch]).has(idKey(base.epoch)))) return undefined
    const kept = (): ParsedIntention[] => {
      const gone = new Set(goneOver(epoch))
      return [...witnessed].flatMap(([each, { parsed }]) => (gone.has(each) ? [] : [parsed]))
    }
    return {
      digest: () => {
        const fingerprint = new Uint8Array(32)
        const all = kept()
        for (const { id } of all) addInto(fingerprint, id)
        return { ...digest(), witnessCount: all.length, fingerprint }
      },
      rangeIndex: () =>
        createMemoryRangeIndex(kept().map((each) => ({ timestamp: each.intention.timestamp.wall, id: each.id }))),
    }
  }
  function prune(epoch: IntentionId): void {
    const found = witnessed.get(idKey(epoch))
    const seq = records.get(idKey(epoch))
    assert(found !== undefined && seq !== undefined, 'a base is here')
    const gone = goneOver(epoch)
    baseSeq = found.seq
    base = { epoch, seq, goneCount: (base?.goneCount ?? 0) + gone.length }
    foundation = itemsOver(epoch)
    const isGone = new Set(gone)
    for (const key of gone) witnessed.delete(key)
    for (const chain of chains.values()) {
      const last = chain.findLast(({ id }) => isGone.has(idKey(id)))
      if (last !== undefined) anchors.add(idKey(last.id))
    }
    for (const { parsed } of witnessed.values()) {
      for (const cause of parsed.intention.causalDeps) if (isGone.has(idKey(cause))) anchors.add(idKey(cause))
    }
    onCut()
    for (const listener of listeners) listener()
  }
  function itemsOver(epoch: IntentionId): readonly Uint8Array[] {
    const below = pastOf([epoch])
    assert(base !== undefined, 'a foundation has a base')
    const { seq, goneCount } = base
    const items: Item[] = [{ kind: 'base', epoch: toHex(epoch), seq: `${seq}`, gone: goneCount }]
    for (const [author, chain] of chains) {
      const ids = chain.filter(({ id }) => below.has(idKey(id)) || anchors.has(idKey(id))).map(({ id }) => toHex(id))
      items.push({ kind: 'chain', author: toHex(idKeyBytes(author)), ids })
    }
    for (const [key, { parsed }] of [...witnessed].sort(([, a], [, b]) => a.seq - b.seq)) {
      if (!below.has(key) || (!records.has(key) && !isGenesis(parsed.intention))) continue
      items.push({ kind: 'record', bytes: toHex(parsed.bytes), signature: toHex(parsed.signature) })
    }
    return items.map(encodeItem)
  }
  function found(items: readonly Uint8Array[]): void {
    foundation = items
    for (const bytes of items) {
      const item = decodeItem(bytes)
      assert(item !== undefined, 'a foundation was checked')
      if (item.kind === 'base') {
        base = { epoch: toIntentionId(bytesOf(item.epoch)), seq: BigInt(item.seq), goneCount: item.gone }
      } else if (item.kind === 'chain') {
        const author = bytesOf(item.author)
        const ids = item.ids.map((id) => toIntentionId(bytesOf(id)))
        chains.set(
          idKey(author as PublicKey),
          ids.map((id) => placeOf(id, author as PublicKey)),
        )
        for (const id of ids) anchors.add(idKey(id))
      } else {
        const parsed = parseSignedIntention(crypto, { bytes: bytesOf(item.bytes), signature: bytesOf(item.signature) })
        assert(parsed.ok, 'a foundation was checked')
        const key = idKey(parsed.value.id)
        baseSeq += 1
        witnessed.set(key, { parsed: parsed.value, seq: baseSeq })
        anchors.delete(key)
        for (const chain of chains.values()) {
          const index = chain.findIndex(({ id }) => idKey(id) === key)
          if (index >= 0) chain[index] = parsed.value
        }
      }
    }
    onCut()
  }

  return {
    base: () => base,
    over,
    declare: (declared) => {
      records = declared
    },
    prune,
    isAnchor: (key) => anchors.has(key) && !witnessed.has(key),
    fromSeq: () => (base === undefined ? 1 : baseSeq),
    found,
    setSnapshot: (next) => {
      snapshot = next && { ...next, root: rootOf(crypto, next.rows) }
    },
    readFoundation: (epoch, after, maxBytes) => {
      if (base === undefined || idKey(base.epoch) !== idKey(epoch)) return undefined
      const items: Uint8Array[] = []
      for (let bytes = 0; after + items.length < foundation.length && (items.length === 0 || bytes < maxBytes);) {
        const item = foundation[after + items.length]
        assert(item !== undefined, 'within the foundation')
        items.push(item)
        bytes += item.length
      }
      return { items, total: foundation.length }
    },
    snapshot: () => snapshot && { epoch: snapshot.epoch, root: snapshot.root, rows: snapshot.rows.length },
    readSnapshot: (epoch, after, maxBytes) => {
      if (snapshot === undefined || idKey(snapshot.epoch) !== idKey(epoch)) return undefined
      const from = after === undefined ? 0 : snapshot.rows.findIndex((row) => compareRows(row, after) > 0)
      const left = from < 0 ? [] : snapshot.rows.slice(from, from + 1000)
      const rows: SnapshotRow[] = []
      for (let bytes = 0; rows.length < left.length;) {
        const row = left[rows.length]
        assert(row !== undefined, 'a row is left')
        bytes += row.key.length + row.value.length
        if (rows.length > 0 && bytes > maxBytes) break
        rows.push(row)
      }
      const isLast = from < 0 || from + rows.length === snapshot.rows.length
      return { epoch, root: snapshot.root, rows, isLast }
    },
    onPruned: (listener): Cancel => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
