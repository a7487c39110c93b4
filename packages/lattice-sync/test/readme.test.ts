import { toHash } from '@lattice/model'
import { expect, test } from 'vitest'
import { createMemoryRangeIndex, createReconciler } from '../src/index.ts'

test('the example of the README says what it prints', () => {
  const item = (timestamp: number) => ({ timestamp, id: toHash(new Uint8Array(32).fill(timestamp)) })
  const initiator = createReconciler({ index: createMemoryRangeIndex([1, 2, 3].map(item)), role: 'initiator' })
  const responder = createReconciler({ index: createMemoryRangeIndex([2, 3, 4].map(item)), role: 'responder' })

  const answer = responder.receive(initiator.start())
  if (!answer.ok || !answer.value.reply) throw new Error('the message was refused')
  const step = initiator.receive(answer.value.reply)
  expect(step).toEqual({ ok: true, value: { have: [item(1).id], need: [item(4).id] } })
})
