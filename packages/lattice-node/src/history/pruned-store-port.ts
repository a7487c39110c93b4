/**
 * The kernel's maker of a pruned store as the network writes to it, in a directory beside the store's own files.
 *
 * Whose numbering the items of a foundation have is remembered beside them: after a restart the same peer goes on.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  decodeFoundationItem,
  type FoundationItem,
  openPrunedStore,
  type PrunedStoreOptions,
  type PrunedStoreStage,
  type PrunedStoreWriter as StoreWriter,
} from '@lattice/kernel'
import {
  assert,
  concatBytes,
  HASH_BYTES,
  type IntentionId,
  type PublicKey,
  readIntentionId,
  readPublicKey,
} from '@lattice/model'
import type { PrunedStoreWriter, WriterPosition, WriterRefused } from '@lattice/net-types'
import { syncDirectory, translateStorageError } from '@lattice/storage'

/** The base, and the peer whose items these are. */
const FROM_FILE = 'fetched-from'

interface From {
  readonly base: IntentionId
  readonly peer: PublicKey
}

export interface PrunedStorePort extends PrunedStoreWriter {
  /** Everything is here: the directory opens as a store. */
  readonly isWhole: () => boolean
  /** Releases files; what was taken in stays. */
  readonly close: () => void
}

/** Goes on with what an earlier one took in; makes nothing before something is begun. Throws `DiskFull` or `StorageFailed`. */
export function openPrunedStorePort(options: PrunedStoreOptions): PrunedStorePort {
  const { directory } = options
  const path = join(directory, FROM_FILE)
  let from = readFrom(path)
  let writer = from && openPrunedStore(options)

  function reset(): void {
    writer?.close()
    ;[writer, from] = [undefined, undefined]
    translated(directory, () => rmSync(directory, { recursive: true, force: true }))
  }
  function begun(): StoreWriter {
    assert(writer !== undefined, 'what is written to is begun')
    return writer
  }
  function refused(code: string): WriterRefused {
    reset()
    return { code }
  }

  return {
    isWhole: () => writer?.stage().kind === 'whole',
    position: () => from && writer && positionOf(from, writer.stage()),
    begin: async (base, peer) => {
      reset()
      translated(directory, () => {
        // A foundation that nobody can say the origin of is nobody's.
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        writeFileSync(path, concatBytes(base, peer), { flush: true })
        syncDirectory(directory)
      })
      from = { base, peer }
      writer = openPrunedStore(options)
    },
    addItems: async (encoded) => {
      const items = decodeAll(encoded)
      if (items === undefined) return refused('foundation_malformed')
      const added = begun().addItems(items)
      return added.ok ? undefined : refused(`foundation_${added.error.code}`)
    },
    endItems: async () => {
      const end = begun().endItems()
      return end.ok ? { epoch: end.value.base, root: end.value.root } : refused(`foundation_${end.error.code}`)
    },
    addRows: async (rows) => {
      const added = await begun().addRows(rows)
      return added.ok ? undefined : { code: added.error.code }
    },
    drop: async () => reset(),
    dropRows: async () => {
      if (writer?.stage().kind === 'snapshot') writer.dropRows()
    },
    finish: async () => {
      const ended = begun().endRows()
      return ended.ok ? undefined : { code: ended.error.code }
    },
    close: () => writer?.close(),
  }
}

function positionOf(from: From, stage: PrunedStoreStage): WriterPosition | undefined {
  if (stage.kind === 'whole') return undefined
  if (stage.kind === 'foundation') return { ...from, items: stage.after, snapshot: undefined, after: undefined }
  const { epoch, root, after } = stage
  return { ...from, items: 0, snapshot: { epoch, root }, after }
}

/** Undefined where one is none. */
function decodeAll(encoded: readonly Uint8Array[]): readonly FoundationItem[] | undefined {
  const items: FoundationItem[] = []
  for (const bytes of encoded) {
    const item = decodeFoundationItem(bytes)
    if (!item.ok) return undefined
    items.push(item.value)
  }
  return items
}

function readFrom(path: string): From | undefined {
  return translated(path, () => {
    if (!existsSync(path)) return undefined
    const bytes = new Uint8Array(readFileSync(path))
    const base = readIntentionId(bytes.subarray(0, HASH_BYTES))
    const peer = readPublicKey(bytes.subarray(HASH_BYTES))
    return base && peer && { base, peer }
  })
}

function translated<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw translateStorageError(error, { path, contents: 'other' })
  }
}
