/**
 * Makes a store of what another node hands over: the foundation of its log, then the state at the base.
 *
 * All of it lies in a directory that is no store until it is whole. The foundation says who vouches for which state, so no
 * row is asked for before it; and no row counts before all are there and come to what was vouched for. What is taken in is
 * on the disk: whatever ends this half-way, opened anew it says what is to come next.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { assert, equalBytes, type Hash, type IntentionId, isLatticeError, ok, type Result } from '@lattice/model'
import {
  openSnapshotLoad,
  openStateDatabase,
  type PageFault,
  removeDatabase,
  replaceDatabase,
  type RootMismatch,
  type RowPosition,
  type SnapshotLoad,
  type StateRow,
} from '@lattice/storage'
import { FOUNDATION_FILE, removeFoundationStaging } from './foundation-staging.ts'
import type { FoundationEnd, FoundationItem, FoundationRefused, FoundationWriter } from './foundation-types.ts'
import type { FoundationWriterOptions } from './foundation-log.ts'
import { createFoundationWriter } from './foundation-writer.ts'
import { LOG_FILE } from './log-schema.ts'
import { SNAPSHOT_FILE } from './snapshot-files.ts'

const LOADING_FILE = 'snapshot.loading.db'

export interface PrunedStoreOptions extends FoundationWriterOptions {
  /** Of whoever will open the store: state made by another version is not gone on with. */
  readonly projectorVersion: string
}

/** What is to come next. */
export type PrunedStoreStage =
  /** Items from the one with this number on. */
  | { readonly kind: 'foundation'; readonly after: number }
  /** Rows of the state at the epoch, after this position. */
  | {
      readonly kind: 'snapshot'
      readonly epoch: IntentionId
      readonly root: Hash
      readonly after: RowPosition | undefined
    }
  /** Nothing: the directory opens as a store. */
  | { readonly kind: 'whole' }

export interface PrunedStoreWriter {
  readonly stage: () => PrunedStoreStage
  /** See {@link FoundationWriter}: after a refusal it begins anew. Throws `DiskFull` or `StorageFailed`. */
  readonly addItems: (items: readonly FoundationItem[]) => Result<undefined, FoundationRefused>
  readonly endItems: () => Result<FoundationEnd, FoundationRefused>
  /** Takes the next rows in, all of them or none. One call at a time. Rejects with `DiskFull` or `StorageFailed`. */
  readonly addRows: (rows: readonly StateRow[]) => Promise<Result<RowPosition, PageFault>>
  /**
   * There are no more rows: the store is whole where they come to the root that is vouched for. Where they do not, none of
   * them is left, and they have to come from another peer. Throws as `addRows` rejects.
   */
  readonly endRows: () => Result<undefined, RootMismatch>
  /** Removes the rows that are here, to have all of them again. */
  readonly dropRows: () => void
  /** Removes all of it. */
  readonly abort: () => void
  /** Releases files; what was taken in stays. Idempotent. */
  readonly close: () => void
}

/** Begins in a directory, or goes on where one ended. Throws `DiskFull` or `StorageFailed`. */
export function openPrunedStore(options: PrunedStoreOptions): PrunedStoreWriter {
  const work = new PrunedStore(options)
  return {
    stage: () => work.stage(),
    addItems: (items) => work.writing().add(items),
    endItems: () => work.endItems(),
    addRows: async (rows) => work.addRows(rows),
    endRows: () => work.endRows(),
    dropRows: () => work.dropRows(),
    abort: () => work.abort(),
    close: () => work.close(),
  }
}

class PrunedStore {
  readonly #options: PrunedStoreOptions
  #writer: FoundationWriter | undefined
  #end: FoundationEnd | undefined
  #load: SnapshotLoad | undefined

  constructor(options: PrunedStoreOptions) {
    this.#options = options
    if (this.#isWhole()) return
    this.#writer = createFoundationWriter(options)
    try {
      this.#resume()
    } catch (error) {
      this.close()
      throw error
    }
  }

  stage(): PrunedStoreStage {
    if (this.#end !== undefined && this.#load !== undefined) {
      return { kind: 'snapshot', epoch: this.#end.base, root: this.#end.root, after: this.#load.position() }
    }
    return this.#writer === undefined ? { kind: 'whole' } : { kind: 'foundation', after: this.#writer.position() }
  }

  writing(): FoundationWriter {
    assert(this.#writer !== undefined && this.#load === undefined, 'items come before rows')
    return this.#writer
  }

  endItems(): Result<FoundationEnd, FoundationRefused> {
    const end = this.writing().finish()
    if (end.ok) this.#beginRows(end.value)
    return end
  }

  async addRows(rows: readonly StateRow[]): Promise<Result<RowPosition, PageFault>> {
    const loading = this.#loading()
    const taken = loading.load(rows)
    if (taken.ok) await loading.settle()
    return taken
  }

  endRows(): Result<undefined, RootMismatch> {
    const [loading, end] = [this.#loading(), this.#end]
    assert(end !== undefined, 'rows are of a base')
    // Counts what was applied, which is what lies below the epoch; the seq of the base is one more.
    const finished = loading.finish({ seq: this.#positions() - 1, chainHash: end.base })
    loading.close()
    this.#load = undefined
    if (!finished.ok) {
      removeDatabase(this.#path(LOADING_FILE))
      this.#beginRows(end)
      return finished
    }
    this.#complete()
    return ok(undefined)
  }

  dropRows(): void {
    const [loading, end] = [this.#loading(), this.#end]
    assert(end !== undefined, 'rows are of a base')
    loading.close()
    this.#load = undefined
    removeDatabase(this.#path(LOADING_FILE))
    this.#beginRows(end)
  }

  abort(): void {
    this.#load?.close()
    this.#writer?.abort()
    ;[this.#load, this.#writer] = [undefined, undefined]
    for (const file of [LOADING_FILE, SNAPSHOT_FILE, LOG_FILE]) removeDatabase(this.#path(file))
    removeFoundationStaging(this.#options.directory)
  }

  close(): void {
    this.#load?.close()
    this.#writer?.close()
    ;[this.#load, this.#writer] = [undefined, undefined]
  }

  #path(file: string): string {
    return join(this.#options.directory, file)
  }

  #isWhole(): boolean {
    return existsSync(this.#path(LOG_FILE)) && !existsSync(this.#path(FOUNDATION_FILE))
  }

  #loading(): SnapshotLoad {
    assert(this.#load !== undefined, 'rows come after items')
    return this.#load
  }

  /** Of all lanes, the base included. */
  #positions(): number {
    assert(this.#writer !== undefined, 'a store that is made has a writer')
    return this.#writer.positions()
  }

  #resume(): void {
    if (!existsSync(this.#path(LOG_FILE))) return
    const end = this.#writer?.finish()
    // The log is there, so its foundation was good; what is left of one that is not is nobody's.
    if (end?.ok !== true) {
      for (const file of [LOADING_FILE, SNAPSHOT_FILE, LOG_FILE]) removeDatabase(this.#path(file))
      return
    }
    if (existsSync(this.#path(SNAPSHOT_FILE))) this.#complete()
    else this.#beginRows(end.value)
  }

  #beginRows(end: FoundationEnd): void {
    this.#end = end
    const path = this.#path(LOADING_FILE)
    const open = (): SnapshotLoad => openSnapshotLoad({ ...this.#hooks(), path, expected: end.root })
    try {
      this.#load = open()
    } catch (error) {
      if (!isLatticeError(error) || error.code !== 'STATE_DAMAGED') throw error
      if (this.#isLoaded(path, end)) {
        this.#complete()
        return
      }
      removeDatabase(path)
      this.#load = open()
    }
  }

  #hooks() {
    const { crypto, storeId, projectorVersion, storageHooks: hooks } = this.#options
    return { crypto, storeId, projectorVersion, ...(hooks && { hooks }) }
  }

  /** It was finished, and what came after that did not happen. */
  #isLoaded(path: string, { base, root }: FoundationEnd): boolean {
    try {
      const state = openStateDatabase({ ...this.#hooks(), path, stateRoot: this.#options.crypto })
      try {
        const found = state.root()
        return equalBytes(state.cursor().chainHash, base) && found !== undefined && equalBytes(found.hash, root)
      } finally {
        state.close()
      }
    } catch (error) {
      if (isLatticeError(error) && error.code === 'STATE_DAMAGED') return false
      throw error
    }
  }

  /** The snapshot first: what says that something is missing goes last. */
  #complete(): void {
    const loaded = this.#path(LOADING_FILE)
    if (existsSync(loaded)) replaceDatabase(this.#path(SNAPSHOT_FILE), loaded)
    this.#writer?.close()
    ;[this.#writer, this.#end] = [undefined, undefined]
    removeFoundationStaging(this.#options.directory)
  }
}
