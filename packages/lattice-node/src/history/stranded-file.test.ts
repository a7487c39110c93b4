import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import type { StrandedWrite } from '@lattice/kernel'
import { decodeUniversalOp, encodeUniversalOp, type IntentionId, toIntentionId } from '@lattice/model'
import { weaver } from '@lattice/proto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addStranded, keepStranded, readStranded } from './stranded-file.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lattice-stranded-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const path = (): string => join(directory, 'stranded.jsonl')
const idOf = (n: number): IntentionId => toIntentionId(new Uint8Array(32).fill(n))
const withOps = (n: number, ops: Uint8Array): StrandedWrite => ({
  id: idOf(n),
  timestamp: { wall: 1_700_000_000_000 + n, counter: n },
  ops,
  op: decodeUniversalOp(ops),
})
const write = (n: number): StrandedWrite =>
  withOps(n, encodeUniversalOp({ kind: 'appData', schema: 0, value: new Uint8Array(3).fill(n) }))
const NOTHING = { has: () => false }
const read = (): readonly StrandedWrite[] => readStranded(directory, NOTHING)

describe('what is put aside', () => {
  test('is there once each, in its order, until it is taken off', () => {
    expect(read()).toEqual([])
    addStranded(directory, [[write(1), write(2)], [write(3)]])
    addStranded(directory, [[write(2)], [write(4), write(3)]])
    expect(read()).toEqual([write(1), write(2), write(3), write(4)])
    keepStranded(directory, [write(2)])
    expect(read()).toEqual([write(2)])
    keepStranded(directory, [])
    expect(() => readFileSync(path())).toThrow('ENOENT')
  })

  test('keeps the bytes of a payload that this version cannot read', () => {
    const newer = withOps(1, Uint8Array.of(0xfa, 0x06, 0x01, 0x07))
    expect(newer.op.kind).toBe('unknown')
    addStranded(directory, [[newer]])
    expect(read()).toEqual([newer])
  })

  test('is not listed where it is witnessed, or is made again by itself', () => {
    const value = create(weaver.EpochOpSchema, { cause: { cause: { case: 'joinOfEpochs', value: {} } } })
    addStranded(directory, [[write(1), withOps(2, encodeUniversalOp({ kind: 'epoch', schema: 0, value })), write(3)]])
    expect(readStranded(directory, { has: (id) => id[0] === 1 })).toEqual([write(3)])
    expect(read()).toEqual([write(1), write(3)])
  })

  test('is there whole once it is added again after a write that lost power at any byte', () => {
    addStranded(directory, [[write(1)]])
    const before = readFileSync(path()).length
    addStranded(directory, [[write(2), write(3)]])
    const whole = readFileSync(path())
    for (let bytes = before; bytes <= whole.length; bytes += 1) {
      writeFileSync(path(), whole)
      truncateSync(path(), bytes)
      addStranded(directory, [[write(2), write(3)]])
      expect(read()).toEqual([write(1), write(2), write(3)])
    }
  })

  test('stays as it was where the disk is full in the middle, and is added whole by the next attempt', () => {
    addStranded(directory, [[write(1)]])
    function* full(): Iterable<readonly StrandedWrite[]> {
      yield [write(2)]
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    }
    expect(() => addStranded(directory, full())).toThrow(expect.objectContaining({ code: 'DISK_FULL' }))
    expect(read()).toEqual([write(1)])
    addStranded(directory, [[write(2)], [write(3)]])
    expect(read()).toEqual([write(1), write(2), write(3)])
  })
})
