import { toHash } from '@lattice/model'
import { createMemoryRangeIndex, type Id, type Item, type ReconcileStep } from '@lattice/sync'
import { describe, expect, test } from 'vitest'
import { MAX_RECONCILE_BYTES, MAX_RECONCILE_ROUNDS, RECONCILE_MESSAGE_BYTES } from './limits.ts'
import { createRangeComparison, type RangeComparison } from './range-comparison.ts'

/** Scattered over time; of a second series with `salt`. */
function itemsOf(count: number, salt = 0): Item[] {
  return Array.from({ length: count }, (_, index) => {
    const id = new Uint8Array(32).fill(salt)
    new DataView(id.buffer).setUint32(0, Math.imul(index + 1, 2654435761))
    return { timestamp: index * 1000 + salt, id: toHash(id) }
  })
}

/** The whole answer to a message, in however many turns. */
function answerOf(comparison: RangeComparison, message: Uint8Array): ReconcileStep {
  const ids: { readonly have: Id[]; readonly need: Id[] } = { have: [], need: [] }
  for (let part = comparison.receive(message); ; part = comparison.goOn()) {
    if ('kind' in part) throw new Error('an honest message is answered')
    ids.have.push(...part.have)
    ids.need.push(...part.need)
    if (part.isWhole) return { ...part, ...ids }
  }
}

describe('a comparison of ranges', () => {
  test('finds a large difference in messages that stay short, well within its rounds', () => {
    const shared = itemsOf(20_000)
    const own = createRangeComparison(createMemoryRangeIndex([...shared, ...itemsOf(6_000, 1)]), 'initiator')
    const other = createRangeComparison(createMemoryRangeIndex([...shared, ...itemsOf(6_000, 2)]), 'responder')
    const found = new Set<string>()
    let [rounds, bytes] = [0, 0]
    for (let message: Uint8Array | undefined = own.start(); message !== undefined; rounds += 1) {
      expect(message.length).toBeLessThanOrEqual(RECONCILE_MESSAGE_BYTES)
      const answer = answerOf(other, message)
      if (answer.reply === undefined) throw new Error('a responder always answers')
      expect(answer.reply.length).toBeLessThanOrEqual(RECONCILE_MESSAGE_BYTES)
      const step = answerOf(own, answer.reply)
      for (const id of [...step.have, ...step.need]) found.add(id.join())
      bytes += answer.reply.length
      message = step.reply
    }
    expect(found.size).toBe(12_000)
    // In proportion, the largest difference of a session has room for several times as much.
    expect(rounds * (131_072 / 6_000)).toBeLessThan(MAX_RECONCILE_ROUNDS)
    expect(bytes * (131_072 / 6_000)).toBeLessThan(MAX_RECONCILE_BYTES)
  })

  test('takes no longer message, no more of them and no more bytes than a session has', () => {
    const responder = () => createRangeComparison(createMemoryRangeIndex(itemsOf(3)), 'responder')
    expect(responder().receive(new Uint8Array(RECONCILE_MESSAGE_BYTES + 1))).toMatchObject({
      failure: { why: 'reconcile_message_too_large' },
    })
    const often = responder()
    const idle = Uint8Array.from([0x61])
    for (let round = 0; round < MAX_RECONCILE_ROUNDS; round += 1) expect(often.receive(idle)).toHaveProperty('reply')
    expect(often.receive(idle)).toMatchObject({ failure: { why: 'reconcile_too_many_rounds' } })

    // Of another version: only that is answered, so they cost no time here.
    const long = responder()
    const padded = new Uint8Array(RECONCILE_MESSAGE_BYTES).fill(0x62, 0, 1)
    for (let sent = 0; sent < MAX_RECONCILE_BYTES; sent += padded.length) {
      expect(long.receive(padded)).toHaveProperty('reply')
    }
    expect(long.receive(idle)).toMatchObject({ failure: { why: 'reconcile_more_than_a_session_takes' } })
  })

  test('names what is wrong with a message', () => {
    const comparison = createRangeComparison(createMemoryRangeIndex([]), 'responder')
    expect(comparison.receive(new Uint8Array(0))).toMatchObject({ failure: { why: 'reconcile_truncated' } })
  })
})
