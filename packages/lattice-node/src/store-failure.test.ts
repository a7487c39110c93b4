import { LATTICE_ERROR_CODES, toStoreId } from '@lattice/model'
import { createManualScheduler } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { NodeError } from './errors.ts'
import { isPassing, toRetriedFailure } from './failure.ts'
import { createStoreEntry, isWanted, stateOf, type StoreEntry } from './store-entry.ts'
import { clearFailure, type FailureDeps, isMended, noteFailure } from './store-failure.ts'

const FULL = new NodeError('DISK_FULL', 'free some space')
const DAMAGED = new NodeError('LOG_DAMAGED', 'witness 9 is missing')

function entryOf(): StoreEntry {
  const record = {
    id: toStoreId(new Uint8Array(32)),
    parentId: undefined,
    storeType: 'core:kvstore',
    state: 'active' as const,
    createdAt: 0,
    creation: undefined,
    name: '',
    isComplete: true,
    isDeleting: false,
    replicatedCount: undefined,
  }
  return createStoreEntry(record, { entryOf: () => undefined, hasData: true })
}

function world(): { scheduler: ReturnType<typeof createManualScheduler>; woken: () => number; deps: FailureDeps } {
  const scheduler = createManualScheduler()
  let woken = 0
  const wake = (): void => {
    woken += 1
  }
  return { scheduler, woken: () => woken, deps: { scheduler, signal: new AbortController().signal, wake } }
}

describe('a store that failed', () => {
  test('is shown so until it is tried again, and the pauses grow while that brings nothing', () => {
    const { scheduler, woken, deps } = world()
    const entry = entryOf()
    for (const pauseMs of [1_000, 2_000, 4_000]) {
      noteFailure(entry, FULL, deps)
      expect([stateOf(entry), isWanted(entry)]).toEqual(['failed', false])
      scheduler.advance(pauseMs - 1)
      expect(entry.failure).toBe(FULL)
      scheduler.advance(1)
      expect([stateOf(entry), isWanted(entry)]).toEqual(['active', true])
    }
    expect(woken()).toBe(3)
    expect(isMended(entry)).toBe(true)
    expect(isMended(entry)).toBe(false)
  })

  test('is not mended by an attempt in which it failed again', () => {
    const { scheduler, deps } = world()
    const entry = entryOf()
    noteFailure(entry, FULL, deps)
    expect(isMended(entry)).toBe(false)
    expect(scheduler.pending()).toBe(1)
  })

  test('is not tried again where no time helps, also when what came before might have passed', () => {
    const { scheduler, deps } = world()
    const entry = entryOf()
    noteFailure(entry, DAMAGED, deps)
    expect(scheduler.pending()).toBe(0)
    noteFailure(entry, FULL, deps)
    noteFailure(entry, DAMAGED, deps)
    expect(scheduler.pending()).toBe(0)
    expect(entry.failure).toBe(DAMAGED)
  })

  test('waits for nothing once what went wrong counts no more', () => {
    const { scheduler, deps } = world()
    const entry = entryOf()
    noteFailure(entry, FULL, deps)
    clearFailure(entry)
    expect(scheduler.pending()).toBe(0)
    expect(stateOf(entry)).toBe('active')
  })
})

test('what no time mends is damage, a file from a later version, and a bug', () => {
  const lasting = LATTICE_ERROR_CODES.filter((code) => !isPassing(new NodeError(code, 'x')))
  expect(lasting).toEqual(['INTERNAL', 'LOG_DAMAGED', 'STATE_DAMAGED', 'DATABASE_DAMAGED', 'SCHEMA_TOO_NEW'])
  expect(isPassing(new Error('a bug'))).toBe(false)
  expect(toRetriedFailure(FULL).message).toContain('tried again')
  expect(toRetriedFailure(DAMAGED).message).toBe(DAMAGED.message)
})
