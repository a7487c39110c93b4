import { compareBytes, idKey, type IntentionId, toHex, toIntentionId, toPublicKey, utf8Encode } from '@lattice/model'
import { createMemoryTable } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { applyWrite, isKvKey, type KvChange, type KvWrite } from './apply-write.ts'
import { get, headIds, heads } from './read-table.ts'
import { compareHeads, type KvHead, type KvState } from './value-codec.ts'

const key = utf8Encode('k')
const idOf = (number: number): IntentionId => toIntentionId(new Uint8Array(32).fill(number))
const authorOf = (number: number): KvWrite['author'] => toPublicKey(new Uint8Array(32).fill(number))
const valueOf = (text: string): KvState => ({ kind: 'value', value: utf8Encode(text) })
const TOMBSTONE: KvState = { kind: 'tombstone' }

function writeOf(number: number, options: Partial<KvWrite> = {}): KvWrite {
  return {
    id: idOf(number),
    timestamp: { wall: number, counter: 0 },
    author: authorOf(1),
    deps: [],
    key,
    state: valueOf(`value ${number}`),
    ...options,
  }
}

describe('applyWrite', () => {
  test('the stored bytes are the same on every node: golden bytes, read by hand', () => {
    const table = createMemoryTable()
    const author = authorOf(0xaa)
    applyWrite(table, writeOf(1, { timestamp: { wall: 1000, counter: 3 }, author, state: valueOf('hi') }))
    applyWrite(table, writeOf(2, { timestamp: { wall: 1001, counter: 0 }, author, state: TOMBSTONE }))
    const winner = `0a20${'02'.repeat(32)}10e9072220${'aa'.repeat(32)}3001`
    const loser = `0a20${'01'.repeat(32)}10e80718032220${'aa'.repeat(32)}2a026869`
    // Field 1 of Value, twice, each a Head with its length: id, wall, counter if any, author, state.
    expect(toHex(table.get(key) ?? key)).toBe(`0a49${winner}0a4d${loser}`)
  })

  test('an empty value is a value', () => {
    const table = createMemoryTable()
    const { after, changed } = applyWrite(table, writeOf(1, { state: valueOf('') }))
    expect(after.value).toEqual(new Uint8Array())
    expect(changed).toBe(true)
    expect(get(table, key)?.value).toEqual(new Uint8Array())
  })

  test('a write replaces what it cites and stands beside what it does not', () => {
    const table = createMemoryTable()
    applyWrite(table, writeOf(1))
    const replaced = applyWrite(table, writeOf(2, { deps: [idOf(1)] }))
    expect(replaced.after.conflicted).toBe(false)
    const beside = applyWrite(table, writeOf(3))
    expect(beside.after).toMatchObject({ conflicted: true, value: utf8Encode('value 3') })
    expect(heads(table, key).map((head) => toHex(head.id.subarray(0, 1)))).toEqual(['03', '02'])
    const resolved = applyWrite(table, writeOf(4, { deps: headIds(table, [key]).sort(compareBytes) }))
    expect(resolved.after.conflicted).toBe(false)
  })

  test('an author that cites nothing has one write of a key, and replaces nobody else’s', () => {
    const table = createMemoryTable()
    applyWrite(table, writeOf(1, { author: authorOf(2) }))
    const follows = (): boolean => true
    for (let number = 2; number < 100; number += 1) applyWrite(table, writeOf(number, { follows }))
    expect(heads(table, key).map((head) => head.id)).toEqual([idOf(99), idOf(1)])
    // A branch of its chain that does not have them in its past leaves them.
    applyWrite(table, writeOf(100, { follows: () => false }))
    expect(heads(table, key)).toHaveLength(3)
  })

  test('later wins, then the greater author, then the greater id', () => {
    const at = (wall: number, author: number, id: number): KvHead => ({
      id: idOf(id),
      timestamp: { wall, counter: 0 },
      author: authorOf(author),
      state: TOMBSTONE,
    })
    expect(compareHeads(at(2, 1, 1), at(1, 9, 9))).toBeLessThan(0)
    expect(compareHeads(at(1, 2, 1), at(1, 1, 9))).toBeLessThan(0)
    expect(compareHeads(at(1, 1, 2), at(1, 1, 1))).toBeLessThan(0)
    const late = { ...at(1, 1, 1), timestamp: { wall: 1, counter: 1 } }
    expect(compareHeads(late, at(1, 9, 9))).toBeLessThan(0)
  })

  test('a write that is present changes nothing', () => {
    const table = createMemoryTable()
    applyWrite(table, writeOf(1))
    const before = table.entries()
    expect(applyWrite(table, writeOf(1, { state: valueOf('other') })).changed).toBe(false)
    expect(table.entries()).toEqual(before)
  })

  test('only what a reader sees is a change', () => {
    const table = createMemoryTable()
    const changed = (write: KvWrite): boolean => applyWrite(table, write).changed
    expect(changed(writeOf(1, { state: TOMBSTONE }))).toBe(false)
    expect(changed(writeOf(3, { deps: [idOf(1)], state: valueOf('a') }))).toBe(true)
    expect(changed(writeOf(4, { deps: [idOf(3)], state: valueOf('a') }))).toBe(false)
    // A loser starts a conflict, another adds nothing to see.
    expect(changed(writeOf(2, { state: valueOf('b') }))).toBe(true)
    expect(changed(writeOf(1, { id: idOf(9), state: valueOf('c') }))).toBe(false)
    expect(changed(writeOf(5, { deps: headIds(table, [key]).sort(compareBytes), state: TOMBSTONE }))).toBe(true)
  })

  test('a key has 1 to 4,096 bytes', () => {
    expect([0, 1, 4096, 4097].map((length) => isKvKey(new Uint8Array(length)))).toEqual([false, true, true, false])
    expect(() => applyWrite(createMemoryTable(), writeOf(1, { key: new Uint8Array() }))).toThrow('1 to 4,096 bytes')
  })

  // Model: of all writes of a key, those that no other write of the key cites.
  test('the heads are the writes that nobody cites, in winner order, in any causal order', () => {
    const draws = fc.array(
      fc.record({
        key: fc.nat({ max: 1 }),
        cited: fc.array(fc.nat({ max: 20 }), { maxLength: 4 }),
        time: fc.nat({ max: 3 }),
      }),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(draws, fc.infiniteStream(fc.nat()), (drawn, picks) => {
        const writes = drawn.map((draw, index) => {
          const cited = [...new Set(draw.cited.filter((back) => back < index))]
          return writeOf(index + 1, {
            key: Uint8Array.of(draw.key + 1),
            timestamp: { wall: draw.time, counter: 0 },
            author: authorOf(draw.time),
            deps: cited.map((at) => idOf(at + 1)).toSorted(compareBytes),
          })
        })
        const table = createMemoryTable()
        const waiting = [...writes]
        const done = new Set<string>()
        while (waiting.length > 0) {
          const ready = waiting.filter((write) => write.deps.every((dep) => done.has(idKey(dep))))
          const next = ready[(picks.next().value ?? 0) % ready.length]
          if (next === undefined) break
          waiting.splice(waiting.indexOf(next), 1)
          done.add(idKey(next.id))
          applyWrite(table, next)
        }
        for (const name of [1, 2]) {
          const own = writes.filter((write) => write.key[0] === name)
          const cited = new Set(own.flatMap((write) => write.deps.map(idKey)))
          const model = own.filter((write) => !cited.has(idKey(write.id))).toSorted(compareHeads)
          expect(heads(table, Uint8Array.of(name)).map((head) => idKey(head.id))).toEqual(
            model.map((write) => idKey(write.id)),
          )
        }
      }),
    )
  })

  test('what was changed is typed', () => {
    expectTypeOf(applyWrite).returns.toEqualTypeOf<KvChange>()
    // @ts-expect-error Bytes are not the id of an intention.
    expect(() => applyWrite(createMemoryTable(), { ...writeOf(1), id: new Uint8Array(3) })).not.toThrow(TypeError)
  })
})
