/**
 * Row 8: reading keys and scanning prefixes, by the calls of a user and straight from the projected table.
 *
 * @module
 */
import { join } from 'node:path'
import { assert, MAX_RUN_LENGTH, prefixRange, utf8Encode } from '@lattice/model'
import { get, scan } from '@lattice/kvtable'
import { groupsOf, openBare } from '../bare-store.ts'
import { GROUPS, keyOf, valueOf } from '../entries.ts'
import { atLeast, type Figure, ratioAtLeast } from '../figure.ts'
import { createHistory } from '../history.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { type Measure, measureAgainst, rateOf, rateOfSync } from '../sample.ts'
import { type BenchStore, ingestAll, openStore } from '../store.ts'
import { createDice } from '../world.ts'

const BATCH: number = 8 * MAX_RUN_LENGTH
/** Keys that are asked for again and again. */
const HOT_KEYS = 64
/** Scans of one measurement: one alone is over too soon. */
const SCANS = 5
/** A tenth of the groups. */
const PREFIX: Uint8Array = utf8Encode('g0')

interface Bare {
  readonly get: (key: Uint8Array) => unknown
  readonly scan: () => number
  readonly close: () => void
}

/** Keys and values in a table, as somebody without Lattice would keep them. */
function createBare(path: string, count: number): Bare {
  const database = openBare(path, 'NORMAL')
  database.exec('CREATE TABLE kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID')
  const insert = database.prepare('INSERT INTO kv VALUES (?, ?)')
  database.transaction(() => {
    for (let entry = 1; entry <= count; entry += 1) insert.run(keyOf(entry), valueOf(entry))
  })()
  const point = database.prepare('SELECT value FROM kv WHERE key = ?')
  const range = database.prepare('SELECT key, value FROM kv WHERE key >= ? AND key < ?')
  const { gte, lt } = prefixRange(PREFIX)
  return {
    get: (key) => point.get(key),
    scan: () => range.all(gte, lt).length,
    close: () => database.close(),
  }
}

function randomKeys(count: number, among: number): readonly Uint8Array[] {
  const dice = createDice(3)
  return Array.from({ length: count }, () => keyOf(1 + dice(among)))
}

function readAll(keys: readonly Uint8Array[], read: (key: Uint8Array) => unknown): Measure {
  return () =>
    rateOfSync(keys.length, () => {
      for (const key of keys) assert(read(key) !== undefined, 'the key is there')
    })
}

function getAll({ kv }: BenchStore, keys: readonly Uint8Array[]): Measure {
  return () =>
    rateOf(keys.length, async () => {
      for (const key of keys) assert((await kv.get(key)).value !== undefined, 'the key is there')
    })
}

async function listAll({ kv }: BenchStore): Promise<number> {
  let found = 0
  for await (const item of kv.list({ prefix: PREFIX, pageSize: 1_000 })) found += item.value.length > 0 ? 1 : 0
  return found
}

function scanAll({ kernel }: BenchStore): number {
  let found = 0
  for (const entry of scan(kernel.tables().app, { prefix: PREFIX })) found += entry.value === undefined ? 0 : 1
  return found
}

async function gets(context: RowContext, store: BenchStore, bare: Bare): Promise<readonly Figure[]> {
  const reads = context.size(50_000, 10_000)
  const entries = context.size(100_000, 20_000)
  const random = randomKeys(reads, entries)
  const hot = randomKeys(reads, HOT_KEYS)
  const direct = (key: Uint8Array): unknown => get(store.kernel.tables().app, key)
  const floor = { name: 'SQLite, a point query for the value', work: readAll(random, bare.get) }
  const hotFloor = { name: 'SQLite, the same few keys', work: readAll(hot, bare.get) }
  return [
    {
      name: `kv.get of ${entries} keys`,
      unit: '/s',
      ...(await measureAgainst(floor, getAll(store, random), context)),
      goals: [ratioAtLeast(0.7)],
    },
    {
      name: 'the same, straight from the table',
      unit: '/s',
      ...(await measureAgainst(floor, readAll(random, direct), context)),
      goals: [ratioAtLeast(0.7)],
    },
    {
      name: `kv.get of ${HOT_KEYS} hot keys`,
      unit: '/s',
      ...(await measureAgainst(hotFloor, getAll(store, hot), context)),
      goals: [atLeast(500_000)],
    },
    {
      name: 'the same, straight from the table',
      unit: '/s',
      ...(await measureAgainst(hotFloor, readAll(hot, direct), context)),
      goals: [atLeast(500_000)],
    },
  ]
}

async function scans(context: RowContext, store: BenchStore, bare: Bare): Promise<readonly Figure[]> {
  const expected = context.size(100_000, 20_000) / (GROUPS / 10)
  const expect = (found: number): void => assert(found === expected, 'a tenth of the keys has the prefix')
  const repeated = (work: () => number): Measure => {
    return () =>
      rateOfSync(SCANS * expected, () => {
        for (let turn = 0; turn < SCANS; turn += 1) expect(work())
      })
  }
  const floor = { name: 'SQLite, a range query for keys and values', work: repeated(bare.scan) }
  const direct = repeated(() => scanAll(store))
  const list = (): Promise<number> =>
    rateOf(SCANS * expected, async () => {
      for (let turn = 0; turn < SCANS; turn += 1) expect(await listAll(store))
    })
  return [
    {
      name: `kv.list of ${expected}`,
      unit: '/s',
      ...(await measureAgainst(floor, list, context)),
      goals: [ratioAtLeast(0.6)],
    },
    {
      name: 'the same, straight from the table',
      unit: '/s',
      ...(await measureAgainst(floor, direct, context)),
      goals: [ratioAtLeast(0.6)],
    },
  ]
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const entries = context.size(100_000, 20_000)
  context.progress(`two tables of ${entries}`)
  const history = createHistory({ runLength: MAX_RUN_LENGTH })
  const intentions = history.next(entries)
  await using store = await openStore({ directory: context.folder(), ...history })
  await ingestAll(store.kernel, groupsOf(intentions, BATCH))
  const bare = createBare(join(context.folder(), 'kv.db'), entries)
  try {
    return [...(await gets(context, store, bare)), ...(await scans(context, store, bare))]
  } finally {
    bare.close()
  }
}

export const READING_ROW: BenchRow = {
  id: '8',
  task: 'KV get and prefix scan',
  floor: 'bare SQLite with keys and values',
  goal: 'get at least 0.7 of the floor, hot keys 500,000 /s, scan at least 0.6',
  run,
}
