/**
 * Opens `state.db`, or a new one where it cannot be used.
 *
 * @module
 */
import { join } from 'node:path'
import { equalBytes, isLatticeError, type Logger, type StoreId } from '@lattice/model'
import { LogDamaged, moveAside, openStateDatabase, type StateDatabase, type StorageHooks } from '@lattice/storage'
import { STATE_FILE } from './log-schema.ts'
import type { LogStore } from './log-store.ts'

export interface OpenStateDeps {
  readonly directory: string
  readonly storeId: StoreId
  readonly projectorVersion: string
  readonly logger: Logger
  readonly log: LogStore
  readonly hooks?: StorageHooks
}

/**
 * The state of the log's store. What is missing starts empty; what is damaged, of another store or of another version is
 * moved aside and starts empty. A cursor that the log does not have means that the log lost records: refused.
 */
export function openState(deps: OpenStateDeps): StateDatabase {
  const path = join(deps.directory, STATE_FILE)
  const open = (): StateDatabase => openStateDatabase({ ...deps, path })
  let state: StateDatabase
  try {
    state = open()
  } catch (error) {
    if (!isLatticeError(error) || error.code !== 'STATE_DAMAGED') throw error
    const aside = moveAside(path)
    deps.logger.warn('state is rebuilt from the log', { path, aside, error })
    state = open()
  }
  try {
    if (isBelowBase(deps.log, state)) {
      state.close()
      const aside = moveAside(path)
      deps.logger.warn('state is rebuilt from a snapshot: it goes on where the log is pruned', { path, aside })
      state = open()
    }
    checkCursor(deps.log, state)
    return state
  } catch (error) {
    state.close()
    throw error
  }
}

/** True for state that ends where records are gone: a power cut took what came after. */
function isBelowBase({ base }: LogStore, state: StateDatabase): boolean {
  const { seq } = state.cursor()
  return seq > 0 && seq < base.fromSeq() - 1
}

function checkCursor(log: LogStore, state: StateDatabase): void {
  const { seq, chainHash } = state.cursor()
  if (seq === 0) return
  const hash = seq <= log.meta().headSeq ? hashAt(log, seq) : undefined
  if (hash !== undefined && equalBytes(hash, chainHash)) return
  const problem = `${STATE_FILE} reaches a record ${seq} that is not in the log, which has lost or replaced records`
  throw new LogDamaged(log.path, { record: `witness ${seq}`, problem })
}

function hashAt({ base, reader }: LogStore, seq: number): Uint8Array | undefined {
  const row = base.row()
  return row !== undefined && seq === row.from_seq - 1 ? row.prev_hash : reader.at(seq)?.chainHash
}
