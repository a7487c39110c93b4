import { type IntentionId, toHex, toIntentionId, toPublicKey } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { createApplyWatch } from './watched-machine.ts'

const idOf = (byte: number): IntentionId => toIntentionId(new Uint8Array(32).fill(byte))
const [first, second] = [idOf(1), idOf(2)]

/** Two tables that one watch sees: `first` is applied to one of them, and `second`, which cites it, to the other. */
function applyApart() {
  const watch = createApplyWatch()
  const machine = watch.open()
  const apply = (id: IntentionId, deps: readonly IntentionId[], table = createMemoryTable()) => {
    const author = toPublicKey(new Uint8Array(32))
    const about = { author, timestamp: { wall: 1, counter: 0 }, schema: 1, follows: () => false, covers: () => false }
    machine.apply(table, { id, deps, payload: new Uint8Array(1), ...about })
    return table
  }
  apply(first, [])
  return { watch, apply }
}

describe('a watched machine', () => {
  test('tells of what was applied without what it cites', () => {
    const { watch, apply } = applyApart()
    apply(second, [first])
    expect(watch.lacks()).toBe(true)
    expect(watch.violations()).toEqual([`${toHex(second)} was applied before ${toHex(first)}, which it cites`])
  })

  test('says nothing of it where that is beyond a cutoff', () => {
    const { watch, apply } = applyApart()
    apply(second, [first])
    watch.leaveOut([first])
    expect([watch.lacks(), watch.violations()]).toEqual([false, []])
  })

  test('tells of what was applied twice, whatever is left out', () => {
    const { watch, apply } = applyApart()
    const table = apply(second, [])
    apply(second, [], table)
    watch.leaveOut([second])
    expect(watch.violations()).toEqual([`${toHex(second)} was applied twice`])
  })
})
