import { toHash } from '@lattice/model'
import { expect, test } from 'vitest'
import { createMemoryRangeIndex, createReconciler, openRangeIndex } from '../src/index.ts'

test('the example of the README says what it prints', () => {
  const item = (timestamp: number) => ({ timestamp, id: toHash(new Uint8Array(32).fill(timestamp)) })
  const initiator = createReconciler({ index: createMemoryRangeIndex([1, 2, 3].map(item)), role: 'initiator' })
  const responder = createReconciler({ index: createMemoryRangeIndex([2, 3, 4].map(item)), role: 'responder' })

  const answer = responder.receive(initiator.start())
  if (!answer.ok || !answer.value.reply) throw new Error('the message was refused')
  const step = initiator.receive(answer.value.reply)
  expect(step).toEqual({ ok: true, value: { have: [item(1).id], need: [item(4).id] } })
})

test('the example of a persistent index says what it prints', () => {
  const nodes = new Map<number, Uint8Array>()
  const read = (node: number) => nodes.get(node)
  const write = (node: number, bytes: Uint8Array) => void nodes.set(node, bytes)
  const store = { read, write, remove: (node: number) => void nodes.delete(node) }
  const index = openRangeIndex({ store })
  index.insert({ timestamp: 5, id: toHash(new Uint8Array(32).fill(7)) })
  index.flush()
  expect(openRangeIndex({ store }).accumulate(0, 1).count).toBe(1)
})
