import { create } from '@bufbuild/protobuf'
import { type IntentionId, toHex, toIntentionId } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { expect, test } from 'vitest'
import { inspectBranch } from './branches.ts'

type Kernel = Parameters<typeof inspectBranch>[0]

function idOf(first: number): IntentionId {
  return toIntentionId(new Uint8Array(32).fill(first))
}

/** A kernel that holds the ids 11…, 22… and 33…, and answers that all have the first in common. */
function kernelWith(asked: unknown[]): Kernel {
  const held = [0x11, 0x22, 0x33].map(idOf)
  return {
    getByPrefix: (hex) => {
      const found = held.filter((id) => toHex(id).startsWith(hex))
      return found.map((id) => ({
        parsed: {
          id,
          intention: {
            author: new Uint8Array(32) as never,
            timestamp: { wall: 0, counter: 0 },
            storePrev: new Uint8Array(32) as never,
            causalDeps: [],
            hints: { supersedesAll: false, ephemeral: false },
            ops: new Uint8Array(0),
          },
          op: { kind: 'unknown' } as never,
          bytes: new Uint8Array(0),
          signature: new Uint8Array(0),
        },
        seq: 1,
        position: 1,
        generation: 1,
        witnessedMs: 0,
        floating: undefined,
      }))
    },
    inspectBranch: (heads, options) => {
      asked.push({ heads: heads.map(toHex), ...options })
      return { lcas: [idOf(0x11)], branches: heads.map((head) => ({ head, count: 7, ids: [head] })) }
    },
  }
}

test('heads may be named by prefixes; the answer has the ids', () => {
  const asked: unknown[] = []
  const request = create(daemon.InspectBranchRequestSchema, { heads: ['2222', toHex(idOf(0x33))], limit: 5 })
  expect(inspectBranch(kernelWith(asked), request)).toEqual(
    create(daemon.InspectBranchResponseSchema, {
      lcas: [idOf(0x11)],
      branches: [0x22, 0x33].map((id) => ({ head: idOf(id), count: 7n, ids: [idOf(id)] })),
    }),
  )
  expect(asked).toEqual([
    { heads: [toHex(idOf(0x22)), toHex(idOf(0x33))], edges: 'all', budget: expect.any(Number) as number, limit: 5 },
  ])
  inspectBranch(kernelWith(asked), create(daemon.InspectBranchRequestSchema, { heads: ['2222'], causalOnly: true }))
  expect(asked[1]).toMatchObject({ edges: 'causal', limit: 100 })
})

test('no heads, too many, too few digits, too large a page and what is not here are refused', () => {
  const refuse = (heads: string[], limit = 0): unknown => {
    try {
      return inspectBranch(kernelWith([]), create(daemon.InspectBranchRequestSchema, { heads, limit }))
    } catch (error) {
      return error
    }
  }
  const invalid = { code: 'INVALID_ARGUMENT' }
  expect(refuse([])).toMatchObject(invalid)
  expect(refuse(Array.from({ length: 65 }, () => '2222'))).toMatchObject(invalid)
  expect(refuse(['222'])).toMatchObject(invalid)
  expect(refuse(['2222'], 1001)).toMatchObject(invalid)
  expect(refuse(['ffff'])).toMatchObject({ code: 'INTENTION_NOT_FOUND' })
})
