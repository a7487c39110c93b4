/**
 * One hash over all state.
 *
 * Rows are hashed in blocks of a fixed count, each with the hash of the blocks before it, so memory stays bounded and the
 * result depends on the rows alone: their order, keys and values, each with its length. It is made over many turns, of
 * a snapshot, while writing goes on.
 *
 * @module
 */
import { type Clock, type Crypto, type Hash, type Scheduler, type TableRow, ZERO_HASH } from '@lattice/model'
import type { Core } from './core.ts'
import { KernelClosed } from './errors.ts'
import type { Kernel, StateSummary } from './kernel-types.ts'
import type { Projection } from './projection.ts'

/** Rows hashed together. Replicas compare the result, which depends on it: it is as fixed as a format. */
const ROWS_PER_BLOCK = 64
const SYSTEM_TABLE = Uint8Array.of(1)
const APP_TABLE = Uint8Array.of(2)
/** How long a turn is, and how many blocks it has where time stands still. */
const TURN_MS = 4
const BLOCKS_PER_TURN = 64
/** Rows that change under a digest are kept for it, up to so many bytes: then it begins again. */
const SNAPSHOT_BYTES_MAX: number = 64 * 1024 * 1024

type Snapshot = ReturnType<Projection['snapshot']>

/** The digest, made anew only when something was published since. */
export function createDigestSource(core: Core, isClosed: () => boolean): Pick<Kernel, 'stateDigest' | 'stateSummary'> {
  let known:
    | { readonly projection: Projection; readonly seq: number; readonly summary: Promise<StateSummary> }
    | undefined

  async function stateSummary(): Promise<StateSummary> {
    if (isClosed()) throw new KernelClosed(core.options.storeId)
    const projection = core.projection()
    const seq = projection.publishedSeq()
    if (known?.projection !== projection || known.seq !== seq) {
      const summary = summarize(core, isClosed)
      known = { projection, seq, summary }
      // One that failed is not kept.
      summary.catch(() => {
        if (known?.summary === summary) known = undefined
      })
    }
    return known.summary
  }

  return { stateSummary, stateDigest: async () => (await stateSummary()).digest }
}

async function summarize(core: Core, isClosed: () => boolean): Promise<StateSummary> {
  for (;;) {
    const projection = core.projection()
    const snapshot = projection.snapshot()
    try {
      const summary = await digestSnapshot(core, snapshot, () => {
        if (isClosed()) throw new KernelClosed(core.options.storeId)
        return core.projection() === projection
      })
      if (summary !== undefined) return summary
    } finally {
      snapshot.system.release()
      snapshot.app.release()
    }
  }
}

/** Undefined when the snapshot could not be kept. */
async function digestSnapshot(
  { options }: Core,
  { system, app }: Snapshot,
  isCurrent: () => boolean,
): Promise<StateSummary | undefined> {
  const { crypto, clock, scheduler } = options
  const digest = createDigest(crypto)
  const turn = createTurn(clock)
  const counts = { system: 0, app: 0 }
  for (const [name, table] of [
    ['system', system],
    ['app', app],
  ] as const) {
    digest.begin(name === 'system' ? SYSTEM_TABLE : APP_TABLE)
    for (const rows = table.scan({}); ;) {
      const block = takeBlock(rows)
      counts[name] += block.length
      digest.add(block)
      if (block.length < ROWS_PER_BLOCK) break
      if (turn.hasTime()) continue
      await breathe(scheduler)
      if (!isCurrent() || system.bytes() + app.bytes() > SNAPSHOT_BYTES_MAX) return undefined
      turn.begin()
    }
  }
  return { digest: digest.hash(), systemRows: counts.system, appRows: counts.app }
}

interface Digest {
  readonly begin: (tag: Uint8Array) => void
  readonly add: (block: readonly TableRow[]) => void
  readonly hash: () => Hash
}

function createDigest(crypto: Crypto): Digest {
  let hash: Hash = ZERO_HASH
  return {
    begin: (tag) => {
      hash = crypto.blake3(hash, tag)
    },
    add: (block) => {
      hash = crypto.blake3(hash, ...block.flatMap(({ key, value }) => [lengthOf(key), key, lengthOf(value), value]))
    },
    hash: () => hash,
  }
}

function takeBlock(rows: IterableIterator<TableRow>): TableRow[] {
  const block: TableRow[] = []
  while (block.length < ROWS_PER_BLOCK) {
    const next = rows.next()
    if (next.done === true) break
    block.push(next.value)
  }
  return block
}

function createTurn(clock: Clock): { readonly begin: () => void; readonly hasTime: () => boolean } {
  let untilMs = 0
  let blocks = 0
  const begin = (): void => {
    untilMs = clock.monotonicMs() + TURN_MS
    blocks = 0
  }
  begin()
  return {
    begin,
    hasTime: () => {
      blocks += 1
      return blocks < BLOCKS_PER_TURN && clock.monotonicMs() <= untilMs
    },
  }
}

async function breathe(scheduler: Scheduler): Promise<void> {
  await new Promise<void>((resolve) => void scheduler.soon(resolve))
}

/** A u32, little-endian. */
function lengthOf({ length }: Uint8Array): Uint8Array {
  return Uint8Array.of(length & 0xff, (length >>> 8) & 0xff, (length >>> 16) & 0xff, length >>> 24)
}
