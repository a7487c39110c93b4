/**
 * Large stores that several rows read: made once in a run, by whichever row comes first.
 *
 * @module
 */
import { constants, cpSync, existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { assert, type StoreId, type Verifier } from '@lattice/model'
import { peekLog } from '@lattice/kernel'
import { ascendingKeyOf } from './entries.ts'
import { createHistory, type History } from './history.ts'
import type { RowContext } from './row.ts'
import { ingestAll, openStore } from './store.ts'

export const FIXTURE_AUTHORS = 20

/** Short runs, as of authors who hear of each other often: many edges between chains. */
const RUN_LENGTH = 8
/** Whole runs of every author, as many as a few frames hold. */
const BATCH: number = FIXTURE_AUTHORS * 16 * RUN_LENGTH

export interface Fixture {
  readonly directory: string
  readonly storeId: StoreId
  readonly witnessCount: number
}

/** A closed store of `count` intentions by {@link FIXTURE_AUTHORS} authors who cite each other. */
export async function fixtureStore({ fixtures, progress }: RowContext, count: number): Promise<Fixture> {
  const directory = join(fixtures, String(count))
  if (!existsSync(directory)) {
    progress(`making a store of ${count} intentions`)
    const unfinished = `${directory}.unfinished`
    rmSync(unfinished, { recursive: true, force: true })
    await fill(unfinished, count)
    renameSync(unfinished, directory)
  }
  const found = peekLog(directory)
  assert(found !== undefined, 'a fixture has a log')
  return { directory, storeId: found.storeId, witnessCount: found.witnessCount }
}

/** A copy of the fixture to write to; where the disk can share what is equal, it costs next to nothing. */
export async function fixtureCopy(context: RowContext, count: number): Promise<Fixture> {
  const fixture = await fixtureStore(context, count)
  const directory = context.folder()
  cpSync(fixture.directory, directory, { recursive: true, mode: constants.COPYFILE_FICLONE })
  return { ...fixture, directory }
}

/** Every signature was made a moment before: a fixture is there to be read, and nothing about making it is measured. */
const trusting: Verifier = { verifyBatch: (tasks) => Promise.resolve(tasks.map(() => true)) }

async function fill(directory: string, count: number): Promise<void> {
  const history = createHistory({ authors: FIXTURE_AUTHORS, runLength: RUN_LENGTH, keyOf: ascendingKeyOf })
  await using store = await openStore({
    directory,
    ...history,
    open: true,
    silent: true,
    durability: 'normal',
    verifier: trusting,
  })
  await ingestAll(store.kernel, batches(history, count))
}

function* batches(history: History, count: number): Generator<ReturnType<History['next']>, void, undefined> {
  // The genesis is one of them.
  for (let left = count - 1; left > 0; left -= BATCH) yield history.next(Math.min(BATCH, left))
}
