import { join } from 'node:path'
import { idKey, type ParsedIntention, type SignedIntention } from '@lattice/model'
import { type Database, openDatabase } from '@lattice/storage'
import { afterEach, describe, expect, test } from 'vitest'
import { at, genesisOf, removeDirectories, signerOf, temporaryDirectory, write } from '../test/harness.ts'
import { createFloatingPool, type FloatingPool } from './floating-pool.ts'
import type { FloatingEntry } from './floating-entry.ts'
import { LOG_APPLICATION_ID, LOG_MIGRATIONS } from './log-schema.ts'

afterEach(removeDirectories)

const genesis = genesisOf(signerOf(1))
const bob = signerOf(2)
const signed = write(bob, { prev: genesis.id, at: at(1) })
const stripped: ParsedIntention = { ...signed, signature: new Uint8Array(0) }
const other = write(bob, { prev: genesis.id, at: at(2) })

interface Opened {
  readonly database: Database
  readonly pool: FloatingPool
  readonly stage: (parsed: ParsedIntention) => FloatingEntry
  readonly commit: () => void
  /** What another opening would find: id and whether it is signed. */
  readonly rows: () => readonly string[]
}

function openPool(count = 100): Opened {
  const path = join(temporaryDirectory(), 'log.db')
  const database = openDatabase({
    path,
    contents: 'log',
    applicationId: LOG_APPLICATION_ID,
    migrations: LOG_MIGRATIONS,
    durability: 'full',
  })
  const pool = createFloatingPool(database, { count, bytes: 1e9 })
  const all = database.prepare<SignedIntention & { readonly id: Uint8Array }>('SELECT * FROM floating ORDER BY arrival')
  return {
    database,
    pool,
    stage: (parsed) => pool.stage(parsed, idKey(parsed.id)),
    commit: () => database.transaction(pool.flush),
    rows: () => all.all().map(({ id, signature }) => nameOf(id, signature === null)),
  }
}

function nameOf(id: Uint8Array, isStripped: boolean): string {
  return `${idKey(id) === idKey(signed.id) ? 'it' : 'other'} ${isStripped ? 'stripped' : 'signed'}`
}

describe('what is staged', () => {
  test('has no row until it is settled, and none if it is witnessed first', () => {
    const { pool, stage, commit, rows, database } = openPool()
    const entry = stage(signed)
    stage(other)
    commit()
    expect(rows()).toEqual([])
    expect([pool.size(), pool.bytes()]).toEqual([2, 0])
    pool.remove(entry)
    expect(pool.settle()).toEqual([])
    commit()
    expect(rows()).toEqual(['other signed'])
    expect(pool.bytes()).toBeGreaterThan(0)
    database.close()
  })

  test('leaves the row of what it takes the place of until it has its own', () => {
    const { pool, stage, commit, rows, database } = openPool()
    stage(stripped)
    pool.settle()
    commit()
    stage(signed)
    // A commit of something else, and a crash after it.
    commit()
    expect(rows()).toEqual(['it stripped'])
    pool.settle()
    commit()
    expect(rows()).toEqual(['it signed'])
    database.close()
  })

  test('takes the row of what it took the place of along when it is witnessed', () => {
    const { pool, stage, commit, rows, database } = openPool()
    stage(stripped)
    pool.settle()
    commit()
    pool.remove(stage(signed))
    commit()
    expect(rows()).toEqual([])
    expect([pool.size(), pool.bytes()]).toEqual([0, 0])
    database.close()
  })

  test('is forgotten when its batch is, and what it took the place of is there again', () => {
    const { pool, stage, commit, rows, database } = openPool()
    const first = stage(stripped)
    pool.settle()
    commit()
    const bytes = pool.bytes()
    const second = stage(signed)
    expect([first.isGone, first.successor]).toEqual([true, second])
    stage(other)
    pool.unstage()
    expect([...pool.entries()]).toEqual([first])
    expect([first.isGone, first.successor, pool.bytes()]).toEqual([false, undefined, bytes])
    pool.settle()
    commit()
    expect(rows()).toEqual(['it stripped'])
    database.close()
  })

  test('outlives a failed commit of something else', () => {
    const { pool, stage, commit, rows, database } = openPool()
    stage(stripped)
    pool.settle()
    commit()
    const [entry, lost] = [stage(signed), stage(other)]
    expect(pool.load()).toEqual([entry, lost])
    expect(pool.get(entry.key)).toBe(entry)
    pool.settle()
    commit()
    expect(rows()).toEqual(['it signed', 'other signed'])
    database.close()
  })

  test('is counted when it is settled, and has bytes of its own from then on', () => {
    const { pool, stage, database } = openPool(16)
    const [entry, second, third] = [signed, other, write(bob, { prev: genesis.id, at: at(3) })].map((parsed) => {
      const shared = new Uint8Array(parsed.bytes.length + 1000)
      shared.set(parsed.bytes, 7)
      return stage({ ...parsed, bytes: shared.subarray(7, 7 + parsed.bytes.length) })
    })
    // An author's share is an eighth of all.
    expect(pool.size()).toBe(3)
    expect(pool.settle()).toEqual([entry])
    expect([...pool.entries()]).toEqual([second, third])
    expect(second?.parsed).toEqual(other)
    for (const { parsed } of pool.entries()) expect(parsed.bytes.buffer.byteLength).toBe(parsed.bytes.length)
    database.close()
  })
})
