/**
 * Row 12r: what keeping the state root costs a flush of rows to a state, and what loading a snapshot costs.
 *
 * @module
 */
import { join } from 'node:path'
import { assert, toHash, toStoreId } from '@lattice/model'
import { openCrypto, type OpenedCrypto } from '@lattice/model/crypto'
import {
  createOverlayTable,
  openSnapshotLoad,
  openStateDatabase,
  type OverlayTable,
  type RowPage,
  type StateDatabase,
} from '@lattice/storage'
import { keyOf, valueOf } from '../entries.ts'
import type { Figure } from '../figure.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { measure, measureAgainst, rateOf, rateOfSync, type Sample, sampleOf } from '../sample.ts'

const STORE = { storeId: toStoreId(new Uint8Array(32).fill(1)), projectorVersion: 'bench/1' }
const PAGE_BYTES: number = 64 * 1024

interface Flushed {
  readonly state: StateDatabase
  /** Writes these entries, as the rows of one transaction; answers rows per second. */
  readonly flush: (entries: readonly number[]) => number
}

function openFlushed(path: string, stateRoot?: OpenedCrypto): Flushed {
  const state = openStateDatabase({ path, ...STORE, ...(stateRoot && { stateRoot }) })
  const tables: { readonly system: OverlayTable; readonly app: OverlayTable } = {
    system: createOverlayTable(state.system),
    app: createOverlayTable(state.app),
  }
  let seq = 0
  return {
    state,
    flush: (entries) => {
      seq += 1
      for (const entry of entries) tables.app.working.set(keyOf(entry), valueOf(entry + seq))
      tables.app.publish()
      const rows = { system: tables.system.freeze(), app: tables.app.freeze() }
      const cursor = { seq, chainHash: toHash(new Uint8Array(32)) }
      const rate = rateOfSync(entries.length, () => {
        const write = state.write({ cursor, ...rows, rejections: [] })
        for (let isDone = false; !isDone;) isDone = write.step(() => true)
      })
      tables.system.thaw()
      tables.app.thaw()
      // Not part of a flush: it is done when much has gathered.
      state.checkpoint(false)
      return rate
    },
  }
}

/** What the root adds to a row, from pairs that were measured one after the other. */
function addedPerRow(ours: Sample, floor: Sample): Sample {
  return sampleOf(ours.values.map((rate, pair) => 1e6 / rate - 1e6 / (floor.values[pair] ?? floor.median)))
}

async function flushes(
  context: RowContext,
  { rooted, plain }: { readonly rooted: Flushed; readonly plain: Flushed },
  { task, next }: { readonly task: string; readonly next: () => readonly number[] },
): Promise<readonly Figure[]> {
  let entries: readonly number[] = []
  const floor = (): number => {
    entries = next()
    return plain.flush(entries)
  }
  const name = 'the same flush without the root'
  const measured = await measureAgainst({ name, work: floor }, () => rooted.flush(entries), context)
  const added = addedPerRow(measured.ours, measured.floor.sample)
  return [
    { name: `flush of ${entries.length} rows, ${task}`, unit: '/s', ...measured, goals: [] },
    { name: 'what the root adds to each', unit: 'µs', ours: added, goals: [] },
  ]
}

function pagesOf(state: StateDatabase): readonly RowPage[] {
  const pages: RowPage[] = []
  for (let page = state.readRows(undefined, PAGE_BYTES); ; page = state.readRows(page.rows.at(-1), PAGE_BYTES)) {
    pages.push(page)
    if (page.isLast) return pages
  }
}

async function loads(context: RowContext, crypto: OpenedCrypto, state: StateDatabase): Promise<readonly Figure[]> {
  const root = state.root()
  assert(root !== undefined, 'the root is kept')
  const { hash: expected, rows } = root
  const read = await measure(() => rateOfSync(rows.app, () => pagesOf(state)), context)
  const pages = pagesOf(state)
  const load = await measure(async () => {
    const loading = openSnapshotLoad({ path: join(context.folder(), 'loading.db'), ...STORE, crypto, expected })
    const rate = await rateOf(rows.app, async () => {
      for (const page of pages) {
        assert(loading.load(page.rows).ok, 'pages are in order')
        await loading.settle()
      }
      assert(loading.finish(state.cursor()).ok, 'the root is the expected one')
    })
    loading.close()
    return rate
  }, context)
  return [
    { name: `a snapshot of ${rows.app} rows, read in pages`, unit: '/s', ours: read, goals: [] },
    { name: 'the same, loaded and its root compared', unit: '/s', ours: load, goals: [] },
  ]
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const crypto = await openCrypto()
  const [held, flushed] = [context.size(100_000, 10_000), context.size(10_000, 2_000)]
  const plain = openFlushed(join(context.folder(), 'state.db'))
  const rooted = openFlushed(join(context.folder(), 'snapshot.db'), crypto)
  try {
    let last = 0
    const next = (count: number): number[] => Array.from({ length: count }, () => (last += 1))
    context.progress(`two states of ${held} rows`)
    const base = next(held)
    plain.flush(base)
    rooted.flush(base)
    let from = 0
    const overwritten = (): readonly number[] => {
      from = (from + flushed) % held
      return base.slice(from, from + flushed)
    }
    return [
      ...(await flushes(context, { rooted, plain }, { task: 'overwritten', next: overwritten })),
      ...(await flushes(context, { rooted, plain }, { task: 'new', next: () => next(flushed) })),
      ...(await loads(context, crypto, rooted.state)),
    ]
  } finally {
    plain.state.close()
    rooted.state.close()
  }
}

export const STATE_ROOT_ROW: BenchRow = {
  id: '12r',
  task: 'Keeping the state root',
  floor: 'the same flush without the root',
  goal: 'none: it is paid by the snapshot and not by the write',
  run,
}
