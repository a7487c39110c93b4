import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StrandedWrite } from '@lattice/kernel'
import { decodeUniversalOp, encodeUniversalOp, type IntentionId, toIntentionId } from '@lattice/model'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addStranded, readStranded } from './stranded-file.ts'
import { createStrandedList } from './stranded-list.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lattice-stranded-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

/** What stands there keeps the new file from being written. */
const inTheWay = (): string => join(directory, 'stranded.jsonl.new')
const idOf = (n: number): IntentionId => toIntentionId(new Uint8Array(32).fill(n))
const write = (n: number): StrandedWrite => {
  const ops = encodeUniversalOp({ kind: 'appData', schema: 0, value: Uint8Array.of(n) })
  return { id: idOf(n), timestamp: { wall: n, counter: 0 }, ops, op: decodeUniversalOp(ops) }
}
const NOTHING = { has: () => false }

describe('the list of an open store', () => {
  test('has no more what was settled, also where the disk does not take that until the store is opened again', () => {
    addStranded(directory, [[write(1), write(2), write(3)]])
    const list = createStrandedList(directory, NOTHING)
    list.settled(idOf(1))
    expect(readStranded(directory, NOTHING)).toEqual([write(2), write(3)])
    mkdirSync(inTheWay())
    expect(() => list.settled(idOf(2))).toThrow('is a directory')
    expect(list.all()).toEqual([write(3)])
    expect(createStrandedList(directory, NOTHING).all()).toEqual([write(2), write(3)])
    rmSync(inTheWay(), { recursive: true })
    list.settled(idOf(3))
    expect(readStranded(directory, NOTHING)).toEqual([])
  })

  test('has what was not let go as the disk did not take that', () => {
    addStranded(directory, [[write(1), write(2)]])
    const list = createStrandedList(directory, NOTHING)
    mkdirSync(inTheWay())
    expect(() => list.drop([idOf(1)])).toThrow('is a directory')
    expect(list.all()).toEqual([write(1), write(2)])
    rmSync(inTheWay(), { recursive: true })
    list.drop([idOf(1)])
    expect(list.all()).toEqual([write(2)])
  })
})
