import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase, type OpenDatabaseOptions } from './database.ts'
import type { StorageSettings } from './storage-hooks.ts'
import { moveAside, replaceDatabase } from './move-aside.ts'
import { translateStorageError } from './translate-error.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lattice-storage-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function optionsOf(change: Partial<OpenDatabaseOptions> = {}): OpenDatabaseOptions {
  return {
    path: join(directory, 'test.db'),
    contents: 'other',
    durability: 'full',
    applicationId: 77,
    migrations: ['CREATE TABLE items (n INTEGER PRIMARY KEY, text TEXT)'],
    ...change,
  }
}

const codeIs = (code: string): unknown => expect.objectContaining({ code })

describe('openDatabase', () => {
  test('runs each migration once, in order, and keeps what is there', () => {
    const first = openDatabase(optionsOf())
    first.prepare('INSERT INTO items VALUES (1, ?)').run('kept')
    first.close()
    first.close()
    const migrations = [...optionsOf().migrations, 'ALTER TABLE items ADD COLUMN more INTEGER DEFAULT 5']
    const second = openDatabase(optionsOf({ migrations }))
    expect(second.prepare('SELECT * FROM items').all()).toEqual([{ n: 1, text: 'kept', more: 5 }])
    second.close()
    expect(() => openDatabase(optionsOf())).toThrow(codeIs('SCHEMA_TOO_NEW'))
  })

  test('a migration that fails leaves the version before', () => {
    openDatabase(optionsOf()).close()
    const migrations = [...optionsOf().migrations, 'CREATE TABLE more (n); NONSENSE']
    expect(() => openDatabase(optionsOf({ migrations }))).toThrow(codeIs('STORAGE_FAILED'))
    openDatabase(optionsOf()).close()
  })

  test('waits for the disk at every commit but a relaxed one, whatever becomes of that', () => {
    let level = -1
    const levels: number[] = []
    const hooks = {
      at: (point: string) => void (point === 'commit' && levels.push(level)),
      configured: (_: string, settings: StorageSettings) => void (level = settings.synchronous),
    }
    const database = openDatabase(optionsOf({ hooks }))
    const put = (n: number): number => database.prepare('INSERT INTO items VALUES (?, NULL)').run(n)
    database.transaction(() => put(1))
    expect(database.relaxed(() => put(2))).toBe(1)
    expect(() => database.relaxed(() => put(2))).toThrow(codeIs('STORAGE_FAILED'))
    database.transaction(() => put(3))
    expect(levels).toEqual([2, 1, 2])
    expect(database.prepare('SELECT n FROM items').all()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    database.close()
  })

  test('commits all of a transaction or nothing, and types what the disk reports', () => {
    let point = ''
    const hooks = {
      at: (at: string) => {
        if (at === point) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
      },
    }
    const database = openDatabase(optionsOf({ hooks }))
    const insert = database.prepare('INSERT INTO items VALUES (?, ?)')
    const count = (): number => database.prepare('SELECT * FROM items').all().length
    for (point of ['write', 'commit']) {
      expect(() => database.transaction(() => insert.run(1, 'a'))).toThrow(codeIs('DISK_FULL'))
      expect(count()).toBe(0)
    }
    point = ''
    expect(() =>
      database.transaction(() => {
        insert.run(1, 'a')
        throw new Error('a bug')
      }),
    ).toThrow('a bug')
    expect(count()).toBe(0)
    expect(database.transaction(() => insert.run(1, 'a'))).toBe(1)
    point = 'committed'
    expect(() => database.transaction(() => insert.run(2, 'b'))).toThrow(codeIs('DISK_FULL'))
    expect(count()).toBe(2)
    database.close()
  })

  test('is held by one at a time, and free after close', () => {
    const first = openDatabase(optionsOf())
    expect(() => openDatabase(optionsOf())).toThrow(codeIs('STORAGE_FAILED'))
    first.close()
    openDatabase(optionsOf()).close()
  })

  test.each([
    ['log', 'LOG_DAMAGED'],
    ['state', 'STATE_DAMAGED'],
    ['other', 'DATABASE_DAMAGED'],
  ] as const)('names damage to %s', (contents, code) => {
    writeFileSync(optionsOf().path, 'this is no database, but it is long enough to be taken for one')
    expect(() => openDatabase(optionsOf({ contents }))).toThrow(codeIs(code))
    rmSync(optionsOf().path)
    openDatabase(optionsOf({ applicationId: 78 })).close()
    expect(() => openDatabase(optionsOf({ contents }))).toThrow(codeIs(code))
  })

  test('refuses a directory, a missing directory, and reading what is not there', () => {
    mkdirSync(join(directory, 'a.db'))
    expect(() => openDatabase(optionsOf({ path: join(directory, 'a.db') }))).toThrow(codeIs('STORAGE_FAILED'))
    expect(() => openDatabase(optionsOf({ path: join(directory, 'none', 'a.db') }))).toThrow(codeIs('STORAGE_FAILED'))
    expect(() => openDatabase(optionsOf({ readonly: true }))).toThrow(codeIs('STORAGE_FAILED'))
  })
})

test.each([
  ['EACCES', 'STORAGE_FAILED', 'may not write'],
  ['SQLITE_READONLY_DIRECTORY', 'STORAGE_FAILED', 'may not write'],
  ['SQLITE_BUSY', 'STORAGE_FAILED', 'another process'],
  ['SQLITE_IOERR_FSYNC', 'STORAGE_FAILED', 'disk failed'],
  ['SQLITE_FULL', 'DISK_FULL', 'free some space'],
  ['SQLITE_CORRUPT_INDEX', 'LOG_DAMAGED', 'restore it'],
])('%s is %s and says what to do', (code, expected, text) => {
  const error = translateStorageError(Object.assign(new Error('x'), { code }), { path: '/p', contents: 'log' })
  expect(error).toMatchObject({ code: expected, message: expect.stringContaining(text) })
})

test('what no disk made passes as it is', () => {
  const bug = new TypeError('bug')
  expect(translateStorageError(bug, { path: '/p', contents: 'log' })).toBe(bug)
})

test('a database moved aside is out of the way, one copy deep, and another takes its place', () => {
  const { path } = optionsOf()
  expect(moveAside(path)).toBeUndefined()
  openDatabase(optionsOf()).close()
  expect(moveAside(path)).toBe(`${path}.aside`)
  openDatabase(optionsOf()).close()
  expect(moveAside(path)).toBe(`${path}.aside`)
  expect(existsSync(path)).toBe(false)
  openDatabase(optionsOf({ path: `${path}.next` })).close()
  replaceDatabase(path, `${path}.next`)
  openDatabase(optionsOf()).close()
})

describe('a file that is to shrink', () => {
  const rows = 2000
  const fill = (database: ReturnType<typeof openDatabase>, first = 0): void =>
    database.transaction(() => {
      for (let n = first; n < rows; n += 1) database.prepare('INSERT INTO items VALUES (?, ?)').run(n, 'x'.repeat(500))
    })
  const sizeOf = (path: string): number => statSync(path).size
  const path = (): string => join(directory, 'test.db')

  test('gives back what is free, a few pages at a time, and the log of the writes after it', () => {
    const database = openDatabase(optionsOf({ shrinks: true }))
    fill(database)
    database.checkpoint(false)
    const before = sizeOf(path())
    database.prepare('DELETE FROM items WHERE n > 9').run()
    let left = database.shrink(16)
    expect(left).toBeGreaterThan(100)
    expect(database.room().free).toBe(left)
    expect(database.room().pages).toBeGreaterThan(left)
    for (let steps = 0; left > 0 && steps < 1000; steps += 1) left = database.shrink(16)
    expect(left).toBe(0)
    database.truncateLog()
    expect(sizeOf(path())).toBeLessThan(before / 10)
    expect(sizeOf(`${path()}-wal`)).toBe(0)
    expect(database.prepare('SELECT count(*) AS count FROM items').get()).toEqual({ count: 10 })
    expect(() => database.shrink(0)).toThrow('pages are counted')
    database.close()
  })

  test('and cannot yet is made so when it is opened and half of it is free, and not before', () => {
    const old = openDatabase(optionsOf())
    fill(old)
    old.prepare('DELETE FROM items WHERE n > 1500').run()
    expect(old.shrink(16)).toBe(0)
    expect(old.room().free).toBe(0)
    old.close()
    const full = sizeOf(path())
    const still = openDatabase(optionsOf({ shrinks: true }))
    expect(sizeOf(path())).toBe(full)
    still.prepare('DELETE FROM items WHERE n > 9').run()
    still.close()
    const made = openDatabase(optionsOf({ shrinks: true }))
    made.truncateLog()
    expect(sizeOf(path())).toBeLessThan(full / 10)
    fill(made, 10)
    made.prepare('DELETE FROM items WHERE n > 9').run()
    expect(made.shrink(16)).toBeGreaterThan(0)
    made.close()
  })
})
