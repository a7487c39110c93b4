/**
 * Where a log that nobody has open ends, and this node's own chain in it: read from the last checkpoint on, so it costs
 * the same for any length of log.
 *
 * @module
 */
import {
  type Crypto,
  equalBytes,
  type Hash,
  type IntentionId,
  type PublicKey,
  type Scheduler,
  toIntentionId,
  ZERO_HASH,
} from '@lattice/model'
import { toPlainBytes } from '@lattice/storage'
import { readMeta } from './log-meta.ts'
import { createLogReader } from './log-reader.ts'
import type { LaneRow } from './log-schema.ts'
import { openLogFile } from './open-log.ts'

export interface LogEnd {
  /** 0 for a log without records. */
  readonly seq: number
  readonly chainHash: Hash
  /** Where each branch of the own chain ends: one, unless it forked; none where nothing was written. */
  readonly ownTips: readonly IntentionId[]
}

export interface LogEndOptions {
  readonly directory: string
  /** Whose log it is. */
  readonly witnessKey: PublicKey
  readonly crypto: Crypto
  readonly scheduler: Scheduler
}

/** Records decoded in one turn. */
const PAGE = 64

/** Reads the end of the log in `directory`. Rejects with `LogDamaged` or `StorageFailed`. */
export async function readLogEnd({ directory, witnessKey, crypto, scheduler }: LogEndOptions): Promise<LogEnd> {
  const database = openLogFile(directory, { readonly: true })
  try {
    const meta = readMeta(database)
    let [seq, chainHash] = [meta?.headSeq ?? 0, meta?.headHash ?? ZERO_HASH]
    const lanes = database
      .prepare<LaneRow>(
        'SELECT lanes.* FROM lanes JOIN authors ON authors.author = lanes.author WHERE key = ? ORDER BY lane',
      )
      .all(witnessKey)
    const tips = new Map(lanes.map((row) => [row.lane, toIntentionId(toPlainBytes(row.head_id))]))
    const reader = createLogReader(database, crypto)
    for (let page = reader.from(seq + 1, PAGE); page.length > 0; page = reader.from(seq + 1, PAGE)) {
      for (const entry of page) {
        seq = entry.meta.seq
        chainHash = entry.chainHash
        const { id, intention } = entry.parsed
        if (equalBytes(intention.author, witnessKey)) tips.set(entry.meta.lane, id)
      }
      await new Promise<void>((resolve) => void scheduler.soon(resolve))
    }
    return { seq, chainHash, ownTips: [...tips.values()] }
  } finally {
    database.close()
  }
}
