/**
 * Counts what the nodes of a swarm send, in the bytes that their frames take.
 *
 * @module
 */
import { assert } from '@lattice/model'
import { encodeFrame, type FrameInit } from '../frame.ts'
import type { TreeMessage } from '../gossip/broadcast-tree.ts'
import { readTopic, type Topic } from '../gossip/gossip-topic.ts'
import { membershipFrame } from '../gossip/membership-frames.ts'
import { treeFrame } from '../gossip/tree-frames.ts'
import type { SwarmMessage, SwarmPayload } from './swarm-node.ts'

export interface TrafficCounts {
  /** Messages in full. */
  readonly payloads: number
  readonly payloadBytes: number
  readonly ihaves: number
  readonly ihaveIds: number
  readonly grafts: number
  /** Of them those that follow a shorter path. */
  readonly optimizations: number
  readonly prunes: number
  /** Frames of IHave, graft and prune. */
  readonly treeBytes: number
  readonly memberships: number
  readonly membershipBytes: number
  readonly reconciled: number
}

export interface Traffic {
  readonly add: (message: SwarmMessage) => void
  readonly reconciled: () => void
  readonly counts: () => TrafficCounts
}

/** What was counted since an earlier count. */
export function since(before: TrafficCounts, after: TrafficCounts): TrafficCounts {
  return {
    payloads: after.payloads - before.payloads,
    payloadBytes: after.payloadBytes - before.payloadBytes,
    ihaves: after.ihaves - before.ihaves,
    ihaveIds: after.ihaveIds - before.ihaveIds,
    grafts: after.grafts - before.grafts,
    optimizations: after.optimizations - before.optimizations,
    prunes: after.prunes - before.prunes,
    treeBytes: after.treeBytes - before.treeBytes,
    memberships: after.memberships - before.memberships,
    membershipBytes: after.membershipBytes - before.membershipBytes,
    reconciled: after.reconciled - before.reconciled,
  }
}

/** Starts at zero. */
export function createTraffic(): Traffic {
  const topic = someTopic()
  const sums = {
    payloads: 0,
    payloadBytes: 0,
    ihaves: 0,
    ihaveIds: 0,
    grafts: 0,
    optimizations: 0,
    prunes: 0,
    treeBytes: 0,
    memberships: 0,
    membershipBytes: 0,
    reconciled: 0,
  }

  // Frames with as many keys or ids are as long as the first of them was, to within a byte or two.
  const sizes = new Map<string, number>()
  function sizeOf(shape: string, frame: () => FrameInit): number {
    const size = sizes.get(shape) ?? encodeFrame(frame()).length
    sizes.set(shape, size)
    return size
  }
  function addTree(message: TreeMessage<SwarmPayload>): void {
    switch (message.kind) {
      case 'gossip':
        sums.payloads += 1
        sums.payloadBytes += message.payload.bytes
        return
      case 'ihave':
        sums.ihaves += 1
        sums.ihaveIds += message.entries.length
        break
      case 'graft':
        sums.grafts += 1
        if (message.wanted === undefined) sums.optimizations += 1
        break
      case 'prune':
        sums.prunes += 1
    }
    const count = countOf(message)
    sums.treeBytes += sizeOf(`${message.kind} ${count}`, () => treeFrame({ topic, message }))
  }
  return {
    add: (sent) => {
      if (sent.layer === 'tree') addTree(sent.message)
      else {
        sums.memberships += 1
        const { message } = sent
        const named = 'sample' in message ? message.sample.length : 0
        sums.membershipBytes += sizeOf(`${message.kind} ${named}`, () => membershipFrame({ topic, message }))
      }
    },
    reconciled: () => {
      sums.reconciled += 1
    },
    counts: () => ({ ...sums }),
  }
}

function someTopic(): Topic {
  const topic = readTopic(new Uint8Array(32))
  assert(topic !== undefined, 'any 32 bytes name a topic')
  return topic
}

function countOf(message: TreeMessage<SwarmPayload>): number {
  if (message.kind === 'ihave') return message.entries.length
  return message.kind === 'graft' ? (message.wanted?.ids.length ?? 0) : 0
}
