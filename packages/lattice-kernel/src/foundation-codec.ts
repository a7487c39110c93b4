/**
 * Items of a foundation as they travel.
 *
 * Decoding checks what an item can be checked for by itself: lengths, ranges, order. What it says is for the writer to check.
 *
 * @module
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  err,
  type Hlc,
  isHlc,
  MAX_KERNEL_CAUSAL_DEPS,
  ok,
  readIntentionId,
  readPublicKey,
  type Result,
  type SignedIntention,
} from '@lattice/model'
import { net, weaver } from '@lattice/proto'
import type { FoundationItem, FoundationPlace } from './foundation-types.ts'
import type { LanePosition } from './reach-vector.ts'

/** What a peer sent is no item. */
export interface FoundationItemMalformed {
  readonly code: 'malformed'
}

const MALFORMED: FoundationItemMalformed = { code: 'malformed' }

export function encodeFoundationItem(item: FoundationItem): Uint8Array {
  return toBinary(net.FoundationItemSchema, create(net.FoundationItemSchema, { item: messageOf(item) }))
}

/** Total. The result's bytes are views of `bytes`, or copies. */
export function decodeFoundationItem(bytes: Uint8Array): Result<FoundationItem, FoundationItemMalformed> {
  const message = parse(bytes)
  const item = message && itemOf(message.item)
  return item === undefined ? err(MALFORMED) : ok(item)
}

function parse(bytes: Uint8Array): net.FoundationItem | undefined {
  try {
    return fromBinary(net.FoundationItemSchema, bytes)
  } catch {
    return undefined
  }
}

type Message = net.FoundationItem['item']

function messageOf(item: FoundationItem): Message {
  switch (item.kind) {
    case 'author':
      return { case: 'author', value: create(net.FoundationAuthorSchema, { key: item.key }) }
    case 'lane': {
      const { author, parent, head } = item
      return { case: 'lane', value: create(net.FoundationLaneSchema, { author, head, ...(parent && { parent }) }) }
    }
    case 'spine': {
      const [record, place] = [signedMessage(item.record), placeMessage(item.place)]
      return { case: 'spine', value: create(net.FoundationSpineSchema, { record, place }) }
    }
    case 'closing': {
      const [intention, place] = [signedMessage(item.intention), placeMessage(item.place)]
      return { case: 'closing', value: create(net.FoundationClosingSchema, { intention, place }) }
    }
    case 'anchor': {
      const { id, timestamp, folded } = item
      const about = { id, wall: BigInt(timestamp.wall), counter: timestamp.counter, folded: [...folded] }
      return {
        case: 'anchor',
        value: create(net.FoundationAnchorSchema, { ...about, place: placeMessage(item.place) }),
      }
    }
    case 'ack':
      return { case: 'ack', value: create(net.FoundationAckSchema, { ack: signedMessage(item.ack) }) }
  }
}

function signedMessage({ bytes: intention, signature }: SignedIntention): weaver.SignedIntention {
  return create(weaver.SignedIntentionSchema, { intention, signature })
}

function placeMessage({ lane, position, generation, vector }: FoundationPlace): net.FoundationPlace {
  return create(net.FoundationPlaceSchema, {
    lane,
    position,
    generation,
    vectorLanes: vector.map(([each]) => each),
    vectorPositions: vector.map(([, each]) => each),
  })
}

function itemOf(message: Message): FoundationItem | undefined {
  switch (message.case) {
    case 'author': {
      const key = readPublicKey(message.value.key)
      return key && { kind: 'author', key }
    }
    case 'lane': {
      const { author, parent, head } = message.value
      return { kind: 'lane', author, parent: parent && { lane: parent.lane, position: parent.position }, head }
    }
    case 'spine': {
      const [record, place] = [signedOf(message.value.record), placeOf(message.value.place)]
      return record && place && { kind: 'spine', record, place }
    }
    case 'closing': {
      const [intention, place] = [signedOf(message.value.intention), placeOf(message.value.place)]
      return intention && place && { kind: 'closing', intention, place }
    }
    case 'anchor':
      return anchorOf(message.value)
    case 'ack': {
      const ack = signedOf(message.value.ack)
      return ack && { kind: 'ack', ack }
    }
    case undefined:
      return undefined
  }
}

function anchorOf({
  id: bytes,
  place: at,
  wall,
  counter,
  folded: ids,
}: net.FoundationAnchor): FoundationItem | undefined {
  const [id, place] = [readIntentionId(bytes), placeOf(at)]
  const timestamp: Hlc = { wall: Number(wall), counter }
  const folded = ids.flatMap((each) => readIntentionId(each) ?? [])
  const isWhole = folded.length === ids.length && folded.length <= MAX_KERNEL_CAUSAL_DEPS && isHlc(timestamp)
  return isWhole ? id && place && { kind: 'anchor', id, place, timestamp, folded } : undefined
}

/** The wire has the bytes that are hashed; what they say is read later. */
function signedOf(message: weaver.SignedIntention | undefined): SignedIntention | undefined {
  return message && { bytes: message.intention, signature: message.signature }
}

function placeOf(message: net.FoundationPlace | undefined): FoundationPlace | undefined {
  if (message === undefined || message.vectorLanes.length !== message.vectorPositions.length) return undefined
  const { lane, position, generation, vectorLanes, vectorPositions } = message
  const isSorted = vectorLanes.every((each, index) => index === 0 || (vectorLanes[index - 1] ?? 0) < each)
  const vector = vectorLanes.map((each, index): LanePosition => [each, vectorPositions[index] ?? 0])
  return isSorted ? { lane, position, generation, vector } : undefined
}
