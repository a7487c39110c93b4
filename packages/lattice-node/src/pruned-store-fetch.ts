/**
 * A pruned store that is being fetched: the network's way into what makes it anew.
 *
 * It lies in a directory within that of the store, and is no store before it is whole and put in place. A note beside says
 * whose foundation was begun, so that a later attempt goes on with it.
 *
 * @module
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  decodeFoundationItem,
  type FoundationItem,
  openPrunedStore,
  type PrunedStoreOptions,
  type PrunedStoreWriter as Making,
} from '@lattice/kernel'
import { HASH_BYTES, type IntentionId, type PublicKey, readIntentionId, readPublicKey } from '@lattice/model'
import type { PrunedStoreWriter, WriterPosition, WriterRefused } from '@lattice/net-types'
import { writeFileAtomic } from './atomic-file.ts'

const NOTE_FILE = 'fetch.note'

export interface PrunedStoreFetch extends PrunedStoreWriter {
  /** Nothing is lacking: it may be put in place. */
  readonly isWhole: () => boolean
  /** Who gave what the log begins with; undefined before that is begun. */
  readonly servedBy: () => PublicKey | undefined
  /** Releases files; what was taken in stays. Idempotent. */
  readonly close: () => void
}

/** Begins, or goes on with what an earlier attempt left. Throws `DiskFull` or `StorageFailed`. */
export function openPrunedStoreFetch(options: PrunedStoreOptions): PrunedStoreFetch {
  return new Fetch(options).port()
}

class Fetch {
  readonly #options: PrunedStoreOptions
  #making: Making
  #note: Pick<WriterPosition, 'base' | 'peer'> | undefined
  /** The rows turned out to be those of the root before it was said that there are no more. */
  #isProven = false

  constructor(options: PrunedStoreOptions) {
    this.#options = options
    this.#making = openPrunedStore(options)
    this.#note = readNote(this.#notePath())
  }

  port(): PrunedStoreFetch {
    return {
      isWhole: () => this.#making.stage().kind === 'whole',
      servedBy: () => this.#note?.peer,
      close: () => this.#making.close(),
      position: () => this.#position(),
      begin: async (base, peer) => this.#begin(base, peer),
      addItems: async (items) => this.#addItems(items),
      endItems: async () => {
        const end = this.#making.endItems()
        return end.ok ? { epoch: end.value.base, root: end.value.root } : refusedBy(end.error)
      },
      addRows: async (rows) => {
        if (this.#isProven) return undefined
        const taken = await this.#making.addRows(rows)
        return taken.ok ? undefined : refusedBy(taken.error)
      },
      drop: async () => this.#drop(),
      dropRows: async () => {
        const stage = this.#making.stage()
        // Rows that are none of the state are dropped as it is ended.
        if (stage.kind === 'snapshot' && stage.after !== undefined) this.#isProven = this.#making.endRows().ok
      },
      finish: async () => {
        if (this.#isProven) return undefined
        const end = this.#making.endRows()
        return end.ok ? undefined : refusedBy(end.error)
      },
    }
  }

  #notePath(): string {
    return join(this.#options.directory, NOTE_FILE)
  }
  #position(): WriterPosition | undefined {
    const stage = this.#making.stage()
    if (this.#note === undefined || stage.kind === 'whole') return undefined
    if (stage.kind === 'foundation') return { ...this.#note, items: stage.after, snapshot: undefined, after: undefined }
    const { epoch, root, after } = stage
    return { ...this.#note, items: 0, snapshot: { epoch, root }, after }
  }
  #begin(base: IntentionId, peer: PublicKey): void {
    this.#drop()
    writeFileAtomic(this.#notePath(), [base, peer], 0o600)
    this.#note = { base, peer }
  }
  #drop(): void {
    this.#making.abort()
    rmSync(this.#notePath(), { force: true })
    this.#note = undefined
    this.#making = openPrunedStore(this.#options)
  }
  #addItems(encoded: readonly Uint8Array[]): WriterRefused | undefined {
    const items: FoundationItem[] = []
    for (const bytes of encoded) {
      const item = decodeFoundationItem(bytes)
      if (!item.ok) {
        this.#drop()
        return refusedBy(item.error)
      }
      items.push(item.value)
    }
    const added = this.#making.addItems(items)
    return added.ok ? undefined : refusedBy(added.error)
  }
}

function refusedBy({ code }: { readonly code: string }): WriterRefused {
  return code === 'base_undecided' ? { code, isPending: true } : { code }
}

function readNote(path: string): Pick<WriterPosition, 'base' | 'peer'> | undefined {
  if (!existsSync(path)) return undefined
  const bytes = new Uint8Array(readFileSync(path))
  const base = readIntentionId(bytes.subarray(0, HASH_BYTES))
  const peer = readPublicKey(bytes.subarray(HASH_BYTES))
  return base === undefined || peer === undefined ? undefined : { base, peer }
}
