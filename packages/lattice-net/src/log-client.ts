/**
 * The asking side of the log of one peer: pages of witness records, and intentions by id or by chain.
 *
 * @module
 */
import { type IntentionId, readIntentionId, type SignedIntention, type StoreId } from '@lattice/model'
import type { net } from '@lattice/proto'
import { type Frame, type FrameInit, fromWire } from './frame.ts'
import { type AnswerPart, createRequestClient, type RequestClient } from './request-client.ts'
import { type Effect, type Fail, violation } from './session.ts'

/** What a peer can be asked for of its log. */
export type LogRequest =
  | { readonly kind: 'page'; readonly fromSeq: number; readonly limit: number }
  | { readonly kind: 'ids'; readonly ids: readonly IntentionId[] }
  | {
      readonly kind: 'chain'
      readonly target: IntentionId
      /** Empty: as far as the limit reaches. */
      readonly since: IntentionId | undefined
      readonly limit: number
    }

/** One frame of an answer. */
export type LogAnswer =
  | { readonly kind: 'page'; readonly page: net.WitnessPage }
  | {
      readonly kind: 'intentions'
      readonly intentions: readonly SignedIntention[]
      readonly last: boolean
      /** Below which the peer keeps nothing, where it said so. */
      readonly base: IntentionId | undefined
    }

export interface LogClientOptions {
  readonly storeId: StoreId
  /** Sent with the opening; at least one. */
  readonly requests: readonly LogRequest[]
  /** Takes one frame of the answer to the oldest open request, and says what to do about it. */
  readonly onAnswer: (answer: LogAnswer) => readonly (Effect<never> & { readonly kind: 'call' | 'fail' })[]
}

export type LogClient = RequestClient<LogRequest>

/** Finishes as soon as everything that was asked for has been answered and taken in. */
export function createLogClient({ storeId, requests, onAnswer }: LogClientOptions): LogClient {
  return createRequestClient<LogRequest, LogAnswer>({
    requests,
    toFrame: (request) => requestFrame(storeId, request),
    read: readAnswer,
    onAnswer,
  })
}

function readAnswer(request: LogRequest, frame: Frame): AnswerPart<LogAnswer> | Fail | undefined {
  if (frame.case === 'witnessPage' && request.kind === 'page') {
    return { answer: { kind: 'page', page: frame.value }, isWhole: true }
  }
  if (frame.case !== 'intentions' || request.kind === 'page') return undefined
  const { intentions, last, base: bytes } = frame.value
  const base = readIntentionId(bytes)
  if (base === undefined && bytes.length > 0) return violation('intentions_base_malformed')
  return { answer: { kind: 'intentions', intentions: fromWire(intentions), last, base }, isWhole: last }
}

function requestFrame(storeId: StoreId, request: LogRequest): FrameInit {
  switch (request.kind) {
    case 'page':
      return {
        case: 'witnessPageRequest',
        value: { storeId, fromSeq: BigInt(request.fromSeq), limit: request.limit },
      }
    case 'ids':
      return { case: 'fetchIntentions', value: { storeId, ids: [...request.ids] } }
    case 'chain': {
      const { target, since, limit } = request
      return { case: 'fetchChain', value: { storeId, target, since: since ?? new Uint8Array(0), limit } }
    }
  }
}
