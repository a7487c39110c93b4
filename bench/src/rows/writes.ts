/**
 * Rows 1 to 3: writing, one at a time, by many at once, and in bulk.
 *
 * @module
 */
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
/** Writes handed over at once in bulk: many groups, well within what may be queued. */
const AHEAD = 16 * GROUP

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
    await using store = await createStore(folder())
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

async function measureOneAtATime(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(2_000, 500)
  return withPair(context, { runLength: 1, durability: 'FULL' }, async (pair) => {
    const floor = (): number => {
      const rows = pair.nextRows(count)
      return rateOfSync(count, () => pair.appendGroups(rows, 1))
    }
    const ours = (): Promise<number> =>
      rateOf(count, async () => {
        for (let write = 0; write < count; write += 1) await put(pair)
      })
    const measured = await measureAgainst(
      { name: 'SQLite, FULL, the same rows, one commit each', work: floor },
      ours,
      context,
    )
    return [{ name: 'kv.put, one at a time', unit: '/s', ...measured, goals: [ratioAtLeast(0.8)] }]
  })
}

async function measureNormal(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(5_000, 1_000)
  const bare = createBareStore(context.folder(), 'NORMAL')
  const history = createHistory({ runLength: 1 })
  let made = 0
  try {
    const sample = await measure(() => {
      const rows = bareRowsOf(history.next(count), made)
      made += count
      return rateOfSync(count, () => rows.forEach((row) => bare.append([row])))
    }, context)
    return [
      {
        name: 'kv.put, one at a time',
        unit: '/s',
        floor: { name: 'SQLite, NORMAL, the same rows, one commit each', sample },
        goals: [ratioAtLeast(0.6), atLeast(8_000)],
        note: 'the kernel offers no log that is opened with NORMAL; only the floor is taken',
      },
    ]
  } finally {
    bare.close()
  }
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
  const count = context.size(7, 1) * AHEAD
  return withPair(context, { runLength: GROUP, durability: 'FULL' }, async (pair) => {
    const floor = (): number => {
      const rows = pair.nextRows(count)
      return rateOfSync(count, () => pair.appendGroups(rows, GROUP))
    }
    const ours = (): Promise<number> =>
      rateOf(count, async () => {
        for (let done = 0; done < count; done += AHEAD) {
          await Promise.all(Array.from({ length: AHEAD }, () => put(pair)))
        }
      })
    const name = `SQLite, FULL, the same rows in commits of ${GROUP}`
    const measured = await measureAgainst({ name, work: floor }, ours, context)
    return [{ name: `kv.put, groups of ${GROUP}`, unit: '/s', ...measured, goals: [atLeast(100_000)] }]
  })
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
