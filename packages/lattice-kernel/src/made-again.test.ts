import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { UniversalOp } from '@lattice/model'
import { system, weaver } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { isMadeAgain } from './made-again.ts'

const epoch = (cause: NonNullable<MessageInitShape<typeof weaver.EpochCauseSchema>['cause']>): UniversalOp => ({
  kind: 'epoch',
  schema: 0,
  value: create(weaver.EpochOpSchema, { seq: 3n, cause: { cause } }),
})
const ID = new Uint8Array(32).fill(1)

describe('what a node writes again by itself', () => {
  test.each<[string, UniversalOp]>([
    ['an acknowledgement', { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }],
    ['one of an epoch', { kind: 'epochAck', schema: 0, value: create(weaver.EpochAckOpSchema) }],
    ['a first epoch', epoch({ case: 'initial', value: {} })],
    ['one that joins others', epoch({ case: 'joinOfEpochs', value: {} })],
    ['one that follows the store above', epoch({ case: 'parent', value: { store: ID, epoch: ID } })],
    ['one that sets aside', epoch({ case: 'setAside', value: { epochs: [ID] } })],
  ])('is %s', (_what, op) => {
    expect(isMadeAgain(op)).toBe(true)
  })

  test.each<[string, UniversalOp]>([
    ['app data', { kind: 'appData', schema: 0, value: ID }],
    ['a change of members', { kind: 'system', schema: 0, value: create(system.SystemOpSchema) }],
    ['an epoch that takes rights', epoch({ case: 'membership', value: { removals: [{ peer: ID }] } })],
    ['one that deletes history', epoch({ case: 'prune', value: {} })],
    ['one for what is not known here', epoch({ case: undefined })],
    ['what cannot be read', { kind: 'unknown' }],
  ])('is not %s', (_what, op) => {
    expect(isMadeAgain(op)).toBe(false)
  })
})
