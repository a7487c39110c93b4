/**
 * Many entries as few intentions: entries are grouped in the order in which they come, and each group is one write.
 *
 * Groups follow each other in that order, so a key keeps the value of its last entry. Each group is written whole or not
 * at all, so what is written is always the first so many entries; the sizes of the groups on their way are all that is
 * remembered.
 *
 * @module
 */
import { type AbortSignal, assert, isLatticeError, LatticeError, type LatticeErrorCode } from '@lattice/model'
import { type Executor, InvalidArgument } from '@lattice/store-base'
import { type KvBytes, toBytes } from './kv-bytes.ts'
import { MAX_BATCH_KEYS } from './limits.ts'
import { encodeOperations, encodePutRequest } from './payload-codec.ts'
import type { KeyWrite } from './key-write.ts'

/** A key's value. */
export interface KvEntry {
  readonly key: KvBytes
  readonly value: KvBytes
}

export interface KvImportOptions {
  /**
   * Most keys that share an intention: 256 unless told, which costs a fraction of an intention each. 1 makes every entry
   * a write of its own, as `put` does.
   */
  readonly keysPerWrite?: number
  readonly signal?: AbortSignal
  /** Told as more is durable. */
  readonly onProgress?: (progress: { readonly written: number }) => void
}

/** The import ended early: the first `detail.written` entries are durable, none of the others is. */
export class ImportStopped extends LatticeError {
  override readonly name = 'ImportStopped'
  readonly code: LatticeErrorCode
  override readonly detail: Readonly<Record<string, unknown>> & { readonly written: number }

  constructor(cause: LatticeError, written: number) {
    super(cause.message, { cause })
    this.code = cause.code
    const { index: _, ...facts } = cause.detail
    this.detail = { ...facts, written }
  }
}

/** Keys of one write where nothing else is asked for: small ones share its costs, a signature and an apply. */
const KEYS_PER_WRITE = 256
/** Key and value bytes of one write: half of what an intention carries; an entry beyond it goes alone. */
const BYTES_PER_WRITE: number = 64 * 1024

export async function importEntries(
  executor: Executor,
  entries: Iterable<KvEntry> | AsyncIterable<Iterable<KvEntry>>,
  { keysPerWrite = KEYS_PER_WRITE, signal, onProgress }: KvImportOptions,
): Promise<number> {
  if (!Number.isInteger(keysPerWrite) || keysPerWrite < 1 || keysPerWrite > MAX_BATCH_KEYS)
    throw new InvalidArgument(`a write has 1 to ${MAX_BATCH_KEYS} keys: choose keysPerWrite within that`)
  const groups = createGroupCount()
  const requests = (part: Iterable<KvEntry>): Iterable<Uint8Array> =>
    keysPerWrite === 1 ? putRequests(part, groups.made) : batchRequests(part, keysPerWrite, groups.made)
  async function* parts(arriving: AsyncIterable<Iterable<KvEntry>>): AsyncGenerator<Iterable<Uint8Array>> {
    for await (const part of arriving) yield requests(part)
  }
  try {
    const { written } = await executor.execMany(
      keysPerWrite === 1 ? 'Put' : 'Batch',
      Symbol.iterator in entries ? requests(entries) : parts(entries),
      {
        ...(signal && { signal }),
        ...(onProgress && { onProgress: (progress) => onProgress({ written: groups.entriesOf(progress.written) }) }),
      },
    )
    return groups.entriesOf(written)
  } catch (error) {
    if (!isLatticeError(error) || typeof error.detail['written'] !== 'number') throw error
    throw new ImportStopped(error, groups.entriesOf(error.detail['written']))
  }
}

function* putRequests(
  part: Iterable<KvEntry>,
  made: (entries: number) => void,
): Generator<Uint8Array, void, undefined> {
  for (const { key, value } of part) {
    made(1)
    yield encodePutRequest(toBytes(key), toBytes(value))
  }
}

function* batchRequests(
  part: Iterable<KvEntry>,
  keysPerWrite: number,
  made: (entries: number) => void,
): Generator<Uint8Array, void, undefined> {
  let writes: KeyWrite[] = []
  let bytes = 0
  const take = (): Uint8Array => {
    const request = encodeOperations(writes)
    made(writes.length)
    writes = []
    bytes = 0
    return request
  }
  for (const entry of part) {
    const [key, value] = [toBytes(entry.key), toBytes(entry.value)]
    const size = key.length + value.length
    if (writes.length >= keysPerWrite || (writes.length > 0 && bytes + size > BYTES_PER_WRITE)) yield take()
    writes.push({ key, state: { kind: 'value', value } })
    bytes += size
  }
  if (writes.length > 0) yield take()
}

/** From groups written to entries written, in ascending order of question. */
function createGroupCount(): {
  readonly made: (entries: number) => void
  readonly entriesOf: (groups: number) => number
} {
  // Sizes of the groups after those that were asked about.
  let sizes: number[] = []
  let groupsBefore = 0
  let entriesBefore = 0
  return {
    made: (entries) => void sizes.push(entries),
    entriesOf: (groups) => {
      const passed = groups - groupsBefore
      assert(passed >= 0 && passed <= sizes.length, 'only groups that were made are written, and none is taken back')
      for (let index = 0; index < passed; index += 1) entriesBefore += sizes[index] ?? 0
      sizes = sizes.slice(passed)
      groupsBefore = groups
      return entriesBefore
    },
  }
}
