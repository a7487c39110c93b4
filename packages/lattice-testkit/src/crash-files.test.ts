import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSeededRandom } from '@lattice/model/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { copyAfterCrash, type FileMark, markFile, tearFiles } from './crash-files.ts'

const WAL_BYTES = 1_000

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lattice-tear-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** A data directory as a node leaves it, and its copy. */
function crashed(): { readonly before: string; readonly copy: string; readonly marks: Map<string, FileMark> } {
  const [before, copy] = [join(root, 'before'), join(root, 'copy')]
  const store = join(before, 'stores', 'a')
  mkdirSync(store, { recursive: true })
  for (const name of ['log.db', 'state.db']) {
    writeFileSync(join(store, name), 'file')
    writeFileSync(join(store, `${name}-wal`), new Uint8Array(WAL_BYTES).fill(7))
    writeFileSync(join(store, `${name}-shm`), 'shared')
  }
  const path = join(store, 'state.db')
  const mark = markFile(path)
  if (mark === undefined) throw new Error('it is there')
  copyAfterCrash(before, copy)
  return { before, copy, marks: new Map([[path, mark]]) }
}

const sizeOf = (copy: string, name: string): number => statSync(join(copy, 'stores', 'a', name)).size

test('a power cut takes the end of what state.db had not been made to keep, anywhere; the log keeps all', () => {
  const sizes = new Set<number>()
  let extended = 0
  for (let seed = 0; seed < 20; seed += 1) {
    const { before, copy, marks } = crashed()
    tearFiles(copy, { random: createSeededRandom(seed), marks, before })
    sizes.add(sizeOf(copy, 'state.db-wal'))
    expect(sizeOf(copy, 'state.db-wal')).toBeLessThanOrEqual(WAL_BYTES)
    const log = readFileSync(join(copy, 'stores', 'a', 'log.db-wal'))
    expect(log.subarray(0, WAL_BYTES).every((byte) => byte === 7)).toBe(true)
    if (log.length > WAL_BYTES) extended += 1
    rmSync(copy, { recursive: true })
    rmSync(before, { recursive: true })
  }
  expect(sizes.size).toBeGreaterThan(10)
  expect(extended).toBeGreaterThan(0)
  expect(extended).toBeLessThan(20)
})

test('once the log of state.db was folded into it, nothing of it may be taken', () => {
  const { before, copy, marks } = crashed()
  const [[path, mark] = ['', { bytes: 0, mtimeMs: 0 }]] = marks
  marks.set(path, { ...mark, bytes: mark.bytes + 4096 })
  for (let seed = 0; seed < 10; seed += 1) {
    tearFiles(copy, { random: createSeededRandom(seed), marks, before })
    expect(sizeOf(copy, 'state.db-wal')).toBeGreaterThanOrEqual(WAL_BYTES)
  }
})
