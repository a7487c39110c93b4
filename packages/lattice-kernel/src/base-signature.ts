/**
 * What this node vouches for where a pruned log begins: the base, what is known of what is gone, and what of it is kept.
 *
 * From the base on the chain of records vouches for itself. Before it records are missing, so their chain cannot: one
 * signature over all that is kept takes its place.
 *
 * @module
 */
import { type Crypto, type Hash, type IntentionId, type StoreId, toHash, utf8Encode } from '@lattice/model'
import type { AnchorRow, BaseLaneRow, BaseSpanRow, LogBaseRow } from './prune-schema.ts'

/** A record that is kept and stands before the base. */
export interface EarlyRecord {
  readonly seq: number
  readonly id: IntentionId
}

export interface BaseFacts {
  readonly base: Omit<LogBaseRow, 'number' | 'signature' | 'deleted_to'>
  readonly lanes: Iterable<BaseLaneRow>
  readonly spans: Iterable<BaseSpanRow>
  readonly anchors: Iterable<AnchorRow>
  /** Ascending. */
  readonly early: Iterable<EarlyRecord>
}

const PREFIX = utf8Encode('lattice/base/v1')
/** Rows hashed at once. */
const ROWS_PER_HASH = 64
const NO_BYTES = new Uint8Array(0)

/** What is signed, with the tag of the witness. Rows by lane, by (lane, first, kind), and by seq. */
export function baseHash(crypto: Crypto, storeId: StoreId, { base, lanes, spans, anchors, early }: BaseFacts): Hash {
  const hash = createRowHash(crypto, toHash(crypto.blake3(PREFIX, storeId)))
  hash.add([base.epoch, base.from_seq, base.prev_hash, base.gone_count, base.gone_fingerprint])
  for (const row of lanes) {
    hash.add(['lane', row.lane, row.author, row.key, row.parent_lane, row.parent_position, row.last])
  }
  for (const { lane, first, last, kind, epoch } of spans) hash.add(['span', lane, first, last, kind, epoch])
  for (const row of anchors) {
    const place = [row.seq, row.author, row.lane, row.position, row.generation, row.wall, row.counter, row.stays]
    hash.add(['anchor', row.id, ...place, row.vector, row.deps])
  }
  for (const { seq, id } of early) hash.add(['record', seq, id])
  return hash.end()
}

type Field = Uint8Array | number | string | null

function createRowHash(
  crypto: Crypto,
  begun: Hash,
): { readonly add: (row: readonly Field[]) => void; end: () => Hash } {
  let hash = begun
  let rows: Uint8Array[] = []
  const end = (): Hash => {
    if (rows.length > 0) hash = toHash(crypto.blake3(hash, ...rows))
    rows = []
    return hash
  }
  return {
    add: (row) => {
      rows.push(...row.flatMap(bytesOf))
      if (rows.length >= ROWS_PER_HASH) end()
    },
    end,
  }
}

/** Each with its kind and length, so that no two rows are the same bytes. */
function bytesOf(field: Field): readonly Uint8Array[] {
  if (field === null) return [headOf(0, 0)]
  if (typeof field === 'number') return [headOf(1, field)]
  const bytes = typeof field === 'string' ? utf8Encode(field) : field
  return [headOf(2, bytes.length), bytes.length === 0 ? NO_BYTES : bytes]
}

function headOf(kind: number, value: number): Uint8Array {
  const bytes = new Uint8Array(9)
  bytes[0] = kind
  new DataView(bytes.buffer).setFloat64(1, value, true)
  return bytes
}
