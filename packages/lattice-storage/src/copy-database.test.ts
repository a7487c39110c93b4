import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Database, openDatabase, tryExclusiveLock } from './index.ts'
import { lookAtPages } from './look-at-pages.ts'

const OPTIONS = {
  contents: 'other',
  durability: 'normal',
  applicationId: 7,
  migrations: ['CREATE TABLE row (n INTEGER PRIMARY KEY, half INTEGER NOT NULL, body BLOB NOT NULL)'],
} as const

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lattice-copy-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Writer {
  readonly database: Database
  /** Commits two rows that belong together. */
  readonly commit: (bytes?: number) => void
  readonly count: () => number
}

function openWriter(ownCheckpoints = false): Writer {
  const database = openDatabase({ ...OPTIONS, path: join(folder, 'source.db'), ownCheckpoints })
  let commits = 0
  return {
    database,
    commit: (bytes = 3000) => {
      database.transaction(() => {
        for (const half of [0, 1])
          database.prepare('INSERT INTO row VALUES (?, ?, ?)').run(2 * commits + half, half, new Uint8Array(bytes))
      })
      commits += 1
    },
    count: () => commits,
  }
}

/** How many whole commits a copy holds, the first ones. Fails for anything else. */
function commitsOf(path: string): number {
  expect(readdirSync(folder).filter((name) => name.startsWith('copy.db'))).toEqual(['copy.db'])
  expect(lookAtPages({ path, full: true })).toEqual([])
  const copy = openDatabase({ ...OPTIONS, path, readonly: true })
  try {
    const rows = copy.prepare<{ readonly n: number }>('SELECT n FROM row ORDER BY n').all()
    expect(rows.map(({ n }) => n)).toEqual(rows.map((_, index) => index))
    expect(rows.length % 2).toBe(0)
    return rows.length / 2
  } finally {
    copy.close()
    // Reading it left nothing behind.
    expect(readdirSync(folder).filter((name) => name.startsWith('copy.db'))).toEqual(['copy.db'])
  }
}

describe('a copy of a database in use', () => {
  test('holds every commit from before it began and a prefix of those since, whatever is written meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          before: fc.integer({ min: 0, max: 300 }),
          isFolded: fc.boolean(),
          perPart: fc.integer({ min: 0, max: 60 }),
          bytes: fc.integer({ min: 10, max: 8000 }),
        }),
        async ({ before, isFolded, perPart, bytes }) => {
          const writer = openWriter()
          try {
            for (let n = 0; n < before; n += 1) writer.commit(bytes)
            // The next commit begins the log anew: in the middle of the copy.
            if (isFolded) writer.database.checkpoint(false)
            await writer.database.copyFiles(join(folder, 'copy.db'), {
              onProgress: () => {
                for (let n = 0; n < perPart; n += 1) writer.commit(bytes)
              },
            })
            const copied = commitsOf(join(folder, 'copy.db'))
            expect(copied).toBeGreaterThanOrEqual(before)
            expect(copied).toBeLessThanOrEqual(writer.count())
          } finally {
            writer.database.close()
            for (const name of readdirSync(folder)) rmSync(join(folder, name))
          }
        },
      ),
      { numRuns: 10 },
    )
  }, 120_000)

  test('is whole when the log begins anew under the reader, who has read half of the old one', async () => {
    const writer = openWriter(true)
    for (let n = 0; n < 600; n += 1) writer.commit()
    writer.database.checkpoint(false)
    const fileBytes = statSync(join(folder, 'source.db')).size
    const logBytes = statSync(join(folder, 'source.db-wal')).size
    let done = 0
    let isOver = false
    await writer.database.copyFiles(join(folder, 'copy.db'), {
      onProgress: (bytes) => {
        done += bytes
        if (isOver || done < fileBytes + logBytes / 2) return
        isOver = true
        for (let n = 0; n < 600; n += 1) writer.commit()
      },
    })
    expect(isOver).toBe(true)
    expect(commitsOf(join(folder, 'copy.db'))).toBe(1200)
    writer.database.close()
  })

  test('leaves out a transaction that is open, and what it wrote already', async () => {
    const writer = openWriter()
    writer.commit()
    const transaction = writer.database.begin()
    const insert = writer.database.prepare('INSERT INTO row VALUES (?, 0, ?)')
    // More than the cache holds, so that it is in the log already.
    for (let n = 0; n < 40; n += 1) insert.run(1000 + n, new Uint8Array(1_000_000))
    expect(statSync(join(folder, 'source.db-wal')).size).toBeGreaterThan(10_000_000)
    await writer.database.copyFiles(join(folder, 'copy.db'))
    transaction.commit()
    expect(commitsOf(join(folder, 'copy.db'))).toBe(1)
    writer.database.close()
  })

  test('is of its own: nobody else may read it, and the source stays held', async () => {
    const writer = openWriter()
    writer.commit()
    await writer.database.copyFiles(join(folder, 'copy.db'))
    expect(statSync(join(folder, 'copy.db')).mode & 0o777).toBe(0o600)
    expect(() => openDatabase({ ...OPTIONS, path: join(folder, 'source.db') })).toThrow('another process holds it')
    writer.commit()
    writer.database.close()
    const again = openDatabase({ ...OPTIONS, path: join(folder, 'source.db') })
    again.close()
  })

  test('pauses checkpoints, and only as long as it takes', async () => {
    const writer = openWriter(true)
    for (let n = 0; n < 400; n += 1) writer.commit()
    const pages: number[] = []
    await writer.database.copyFiles(join(folder, 'copy.db'), {
      onProgress: () => pages.push(writer.database.checkpoint(false)),
    })
    expect(new Set(pages)).toEqual(new Set([0]))
    expect(writer.database.checkpoint(false)).toBeGreaterThan(400)
    writer.database.close()
  })

  test('ends when told to, or when the source is closed, and lets go of it', async () => {
    const writer = openWriter()
    for (let n = 0; n < 800; n += 1) writer.commit()
    writer.database.checkpoint(false)
    const controller = new AbortController()
    const reason = new Error('enough')
    await expect(
      writer.database.copyFiles(join(folder, 'aborted.db'), {
        signal: controller.signal,
        onProgress: () => controller.abort(reason),
      }),
    ).rejects.toBe(reason)
    await expect(
      writer.database.copyFiles(join(folder, 'closed.db'), { onProgress: () => writer.database.close() }),
    ).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    openDatabase({ ...OPTIONS, path: join(folder, 'source.db') }).close()
    const lock = tryExclusiveLock(join(folder, 'source.db'), 'nobody')
    expect(lock.kind).toBe('held')
    if (lock.kind === 'held') lock.release()
  })

  test('is refused where something stands already, and harms it not', async () => {
    const writer = openWriter()
    writer.commit()
    await writer.database.copyFiles(join(folder, 'copy.db'))
    await expect(writer.database.copyFiles(join(folder, 'copy.db'))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    })
    expect(commitsOf(join(folder, 'copy.db'))).toBe(1)
    await expect(writer.database.copyFiles(join(folder, 'none', 'copy.db'))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    })
    expect(existsSync(join(folder, 'none'))).toBe(false)
    writer.database.close()
  })
})
