/** A log made anew takes the place of a damaged one, whatever the moment of a crash. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { beginReplacement, commitReplacement, LogDamaged, rebuildLog, salvageLog } from '../src/index.ts'
import {
  changeRecord,
  changeTable,
  createFilledStore,
  FIELDS,
  overwrite,
  recordOf,
  RECORDS,
  verifyDirectory,
} from './damage.ts'
import { crypto, openTestKernel, removeDirectories, turnScheduler } from './harness.ts'

afterEach(removeDirectories)

type Filled = Awaited<ReturnType<typeof createFilledStore>>

/** Makes a log anew beside one whose indexes are damaged. */
async function makeAnew({ directory, options }: Filled): Promise<void> {
  changeTable(directory, 'DELETE FROM lanes')
  changeTable(directory, 'DELETE FROM range_nodes')
  await rebuildLog({ ...options, directory, target: beginReplacement(directory), scheduler: turnScheduler })
}

async function expectWhole({ directory, options }: Filled): Promise<void> {
  const { kernel } = await openTestKernel({ ...options })
  expect(kernel.stats().witnessCount).toBe(RECORDS)
  expect(await kernel.verify({ full: true })).toMatchObject({ outcome: 'sound' })
  await kernel.close()
  expect(existsSync(join(directory, 'log.db.damaged'))).toBe(true)
  expect(readdirSync(directory).filter((name) => name.startsWith('repair'))).toEqual([])
}

describe('a log made anew', () => {
  test('has the same records, byte by byte, and every index again', async () => {
    const store = await createFilledStore()
    const before = Array.from({ length: RECORDS }, (_, index) => recordOf(store.directory, index + 1))
    await makeAnew(store)
    expect(await verifyDirectory(store.directory, store.options)).toMatchObject({ outcome: 'indexes' })
    const kept = commitReplacement(store.directory)
    expect(kept).toBe(join(store.directory, 'log.db.damaged'))
    for (const [index, record] of before.entries()) expect(recordOf(store.directory, index + 1)).toEqual(record)
    await expectWhole(store)
  })

  test('mends a record whose place alone is wrong', async () => {
    const store = await createFilledStore()
    changeRecord(store.directory, 9, (record) => {
      record[FIELDS.generation] = 77
      return record
    })
    await makeAnew(store)
    commitReplacement(store.directory)
    await expectWhole(store)
  })

  test('is not made of a record that is damaged', async () => {
    const store = await createFilledStore()
    changeRecord(store.directory, 9, (record) => {
      record[FIELDS.chainHash] = (record[FIELDS.chainHash] ?? 0) ^ 1
      return record
    })
    await expect(makeAnew(store)).rejects.toThrow(LogDamaged)
  })

  test.each([
    ['it was decided', (): void => undefined],
    ['the write-ahead log of the damaged one was moved', (directory: string) => writeThenMove(directory)],
    [
      'the damaged log was moved',
      (directory: string) => renameSync(join(directory, 'log.db'), join(directory, 'log.db.damaged')),
    ],
    [
      'the new log was moved',
      (directory: string) => {
        renameSync(join(directory, 'log.db'), join(directory, 'log.db.damaged'))
        renameSync(join(directory, 'repaired', 'log.db'), join(directory, 'log.db'))
      },
    ],
  ])('is put in place by the next open when a crash came after %s', async (_, crash) => {
    const store = await createFilledStore()
    await makeAnew(store)
    renameSync(join(store.directory, 'repair'), join(store.directory, 'repaired'))
    crash(store.directory)
    await expectWhole(store)
  })

  test('that was not decided is no more than a directory', async () => {
    const store = await createFilledStore()
    const before = readFileSync(join(store.directory, 'log.db'))
    mkdirSync(join(store.directory, 'repair'))
    const { kernel } = await openTestKernel({ ...store.options })
    await kernel.close()
    expect(readFileSync(join(store.directory, 'log.db')).length).toBe(before.length)
    expect(existsSync(join(store.directory, 'log.db.damaged'))).toBe(false)
  })

  test('never takes the place of a damaged log that is kept already', async () => {
    const store = await createFilledStore()
    for (const expected of ['log.db.damaged', 'log.db.damaged-2', 'log.db.damaged-3']) {
      await makeAnew(store)
      expect(commitReplacement(store.directory)).toBe(join(store.directory, expected))
    }
  })
})

function writeThenMove(directory: string): void {
  cpSync(join(directory, 'log.db'), join(directory, 'log.db-wal'))
  renameSync(join(directory, 'log.db-wal'), join(directory, 'log.db.damaged-wal'))
}

describe('what is salvaged', () => {
  async function salvage({ directory, options }: Filled) {
    const ids: string[] = []
    const log = await salvageLog({
      ...options,
      directory,
      witnessKey: options.signer.publicKey,
      crypto,
      scheduler: turnScheduler,
      onBatch: async (batch) => void ids.push(...batch.map(({ bytes }) => String(crypto.blake3(bytes)))),
    })
    return { ...log, ids }
  }

  test('is every record that can be read; the own end is known where nothing after it is lost', async () => {
    const store = await createFilledStore()
    changeTable(store.directory, 'DELETE FROM intentions WHERE seq IN (5, 6)')
    const { read, lost, own, ownEnd, ids } = await salvage(store)
    expect({ read, lost, own, ids: ids.length }).toEqual({ read: RECORDS - 2, lost: 2, own: 9, ids: RECORDS - 2 })
    // What no readable own one follows: the end, and what the lost ones followed.
    expect(ownEnd).toMatchObject({ kind: 'known' })
    expect(ownEnd.tips).toHaveLength(2)
  })

  test.each([
    ['what may have been an own one is lost at the end', `DELETE FROM intentions WHERE seq > ${RECORDS - 3}`],
    ['nothing after the own ones of before tells', 'DELETE FROM intentions WHERE seq > 10 AND seq < 20'],
  ])('has an unknown own end where %s', async (_, change) => {
    const store = await createFilledStore()
    changeTable(store.directory, change)
    expect((await salvage(store)).ownEnd).toMatchObject({ kind: 'unknown' })
  })

  test('is nothing of a file that is no log, or not there', async () => {
    const store = await createFilledStore()
    overwrite(join(store.directory, 'log.db'), 0, new Uint8Array(4096).fill(0x5a))
    expect(await salvage(store)).toMatchObject({ read: 0, ownEnd: { kind: 'unknown', tips: [] } })
    rmSync(join(store.directory, 'log.db'))
    expect(await salvage(store)).toMatchObject({ read: 0, ownEnd: { kind: 'unknown', tips: [] } })
  })
})
