/**
 * Rows 1 to 3: writing, one at a time, by many at once, and in bulk.
 *
 * @module
 */
import type { KvEntry } from '@lattice/kvstore'
import { type BareRow, bareRowsOf, createBareStore, groupsOf } from '../bare-store.ts'
import { keyOf, valueOf } from '../entries.ts'
import { atLeast, type Figure, ratioAtLeast } from '../figure.ts'
import { createHistory } from '../history.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { measure, measureAgainst, rateOf, rateOfSync } from '../sample.ts'
import { type BenchStore, createStore } from '../store.ts'

const WRITERS = 64
/** Writes that one run closes. */
const GROUP = 256

/** A store and its floor, both of which go on from one measurement to the next. */
interface Pair {
  readonly store: BenchStore
  /** The rows of the next writes, those of a group being closed by one signature. */
  readonly nextRows: (count: number) => readonly BareRow[]
  readonly appendGroups: (rows: readonly BareRow[], group: number) => void
  /** The number of the next entry; each is written once. */
  readonly nextEntry: () => number
}

async function withPair<T>(
  { folder }: RowContext,
  { runLength, durability }: { readonly runLength: number; readonly durability: 'FULL' | 'NORMAL' },
  work: (pair: Pair) => Promise<T>,
): Promise<T> {
  const bare = createBareStore(folder(), durability)
  const history = createHistory({ runLength })
  let made = 0
  let written = 0
  try {
    await using store = await createStore(folder(), durability === 'FULL' ? 'full' : 'normal')
    return await work({
      store,
      nextRows: (count) => {
        const rows = bareRowsOf(history.next(count), made)
        made += count
        return rows
      },
      appendGroups: (rows, group) => {
        for (const part of groupsOf(rows, group)) bare.append(part)
      },
      nextEntry: () => (written += 1),
    })
  } finally {
    bare.close()
  }
}

const put = ({ store, nextEntry }: Pair): Promise<unknown> => {
  const entry = nextEntry()
  return store.kv.put(keyOf(entry), valueOf(entry))
}

async function measureOneByOne(
  context: RowContext,
  { count, durability }: { readonly count: number; readonly durability: 'FULL' | 'NORMAL' },
  goals: Figure['goals'],
): Promise<readonly Figure[]> {
  return withPair(context, { runLength: 1, durability }, async (pair) => {
    const floor = (): number => {
      const rows = pair.nextRows(count)
      return rateOfSync(count, () => pair.appendGroups(rows, 1))
    }
    const ours = (): Promise<number> =>
      rateOf(count, async () => {
        for (let write = 0; write < count; write += 1) await put(pair)
      })
    const name = `SQLite, ${durability}, the same rows, one commit each`
    const measured = await measureAgainst({ name, work: floor }, ours, context)
    return [{ name: 'kv.put, one at a time', unit: '/s', ...measured, goals }]
  })
}

function measureOneAtATime(context: RowContext): Promise<readonly Figure[]> {
  return measureOneByOne(context, { count: context.size(2_000, 500), durability: 'FULL' }, [ratioAtLeast(0.8)])
}

function measureNormal(context: RowContext): Promise<readonly Figure[]> {
  const goals = [ratioAtLeast(0.6), atLeast(8_000)]
  return measureOneByOne(context, { count: context.size(5_000, 1_000), durability: 'NORMAL' }, goals)
}

async function measureManyWriters(context: RowContext): Promise<readonly Figure[]> {
  const each = context.size(300, 50)
  const count = WRITERS * each
  return withPair(context, { runLength: WRITERS, durability: 'FULL' }, async (pair) => {
    const floor = (): number => {
      const rows = pair.nextRows(count)
      return rateOfSync(count, () => pair.appendGroups(rows, WRITERS))
    }
    const write = async (): Promise<void> => {
      for (let turn = 0; turn < each; turn += 1) await put(pair)
    }
    const ours = (): Promise<number> =>
      rateOf(count, async () => {
        await Promise.all(Array.from({ length: WRITERS }, write))
      })
    const name = `SQLite, FULL, the same rows in commits of ${WRITERS}`
    const measured = await measureAgainst({ name, work: floor }, ours, context)
    return [{ name: `kv.put by ${WRITERS} writers`, unit: '/s', ...measured, goals: [atLeast(30_000)] }]
  })
}

async function measureBulk(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(28_672, 4_096)
  return withPair(context, { runLength: GROUP, durability: 'FULL' }, async (pair) => {
    const floor = (): number => {
      const rows = pair.nextRows(count)
      return rateOfSync(count, () => pair.appendGroups(rows, GROUP))
    }
    const bulk = (keysPerWrite: number): Promise<number> =>
      rateOf(count, async () => {
        await pair.store.kv.import(nextEntries(pair, count), { keysPerWrite })
      })
    const name = `SQLite, FULL, the same rows in commits of ${GROUP}`
    const measured = await measureAgainst({ name, work: floor }, () => bulk(1), context)
    return [
      { name: 'kv.import, an intention each', unit: '/s', ...measured, goals: [atLeast(100_000)] },
      {
        name: `kv.import, ${GROUP} keys per intention`,
        unit: '/s',
        ours: await measure(() => bulk(GROUP), context),
        goals: [],
        note: 'entries by second, as `store import` writes them; there is no floor of the same rows',
      },
    ]
  })
}

function* nextEntries({ nextEntry }: Pair, count: number): Generator<KvEntry, void, undefined> {
  for (let made = 0; made < count; made += 1) {
    const entry = nextEntry()
    yield { key: keyOf(entry), value: valueOf(entry) }
  }
}

export const WRITE_ROWS: readonly BenchRow[] = [
  {
    id: '1',
    task: 'One durable write at a time',
    floor: 'bare SQLite, same rows',
    goal: 'at least 0.8 of the floor',
    run: measureOneAtATime,
  },
  {
    id: '1b',
    task: 'One write at a time with NORMAL',
    floor: 'bare SQLite, same rows',
    goal: 'at least 0.6 of the floor and 8,000 /s',
    run: measureNormal,
  },
  {
    id: '2',
    task: '64 writers at once, group commit',
    floor: 'none; SQLite in commits of 64 is shown',
    goal: 'at least 30,000 /s',
    run: measureManyWriters,
  },
  {
    id: '3',
    task: 'Bulk import in groups of 256',
    floor: 'SQLite, batched append of the same rows',
    goal: 'at least 100,000 /s',
    run: measureBulk,
  },
]
