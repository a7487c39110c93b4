import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from './database.ts'
import { type FileWork, inlineFileWork, threadedFileWork } from './file-work.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lattice-file-work-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const WORKS: readonly (readonly [string, FileWork])[] = [
  ['in threads', threadedFileWork],
  ['within the turn', inlineFileWork],
]

/** More than one part. */
const bytes = Uint8Array.from({ length: 2_500_000 }, (_, index) => (index * 7) % 251)

function source(): { readonly path: string; readonly descriptor: number } {
  const path = join(folder, 'source')
  writeFileSync(path, bytes)
  return { path, descriptor: openSync(path, 'r') }
}

describe.each(WORKS)('work on files %s', (_, work) => {
  test('copies all bytes, tells how many by and by, and makes them durable', async () => {
    const from = source()
    const to = join(folder, 'copy')
    let told = 0
    expect(await work.copy(from, to, { onProgress: (part) => (told += part) })).toBe(bytes.length)
    await work.sync(to)
    await work.sync(folder)
    closeSync(from.descriptor)
    expect(told).toBe(bytes.length)
    expect(readFileSync(to).equals(bytes)).toBe(true)
  })

  test('refuses what stands in its place, and what is not there', async () => {
    const from = source()
    await expect(work.copy(from, from.path, {})).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    await expect(work.sync(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    closeSync(from.descriptor)
    expect(readFileSync(from.path).equals(bytes)).toBe(true)
  })

  test('ends where it is told to', async () => {
    const from = source()
    const aborting = new AbortController()
    const copying = work.copy(from, join(folder, 'copy'), {
      signal: aborting.signal,
      onProgress: () => aborting.abort(new Error('enough')),
    })
    await expect(copying).rejects.toThrow('enough')
    closeSync(from.descriptor)
  })

  test('tells what became of a sync', async () => {
    const from = source()
    const sync = (descriptor: number): Promise<unknown> =>
      new Promise((resolve) => {
        work.syncOpen(descriptor, resolve)
      })
    expect(await sync(from.descriptor)).toBe(null)
    closeSync(from.descriptor)
    expect(await sync(from.descriptor)).toMatchObject({ code: 'EBADF' })
  })
})

test('a database that is copied within the turn is copied before anything else happens', async () => {
  const database = openDatabase({
    path: join(folder, 'one.db'),
    contents: 'other',
    durability: 'normal',
    applicationId: 1,
    migrations: ['CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT'],
    fileWork: inlineFileWork,
  })
  database.prepare('INSERT INTO numbers VALUES (1)').run()
  let isCopied = false
  const copying = database.copyFiles(join(folder, 'copy.db')).then(() => (isCopied = true))
  let isSeen: boolean | undefined
  const turn = new Promise<void>((resolve) => {
    setImmediate(() => {
      isSeen = isCopied
      resolve()
    })
  })
  await turn
  expect(isSeen).toBe(true)
  await copying
  database.close()
  expect(existsSync(join(folder, 'copy.db-wal'))).toBe(false)
})
