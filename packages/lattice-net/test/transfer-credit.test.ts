import { MAX_FRAME_BYTES, MAX_SIGNED_INTENTION_BYTES, type SignedIntention } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { encodeFrame, type Frame, type FrameInit } from '../src/frame.ts'
import {
  CREDIT_WINDOW,
  CREDIT_WINDOW_BYTES,
  MAX_DIFFERENCE_IDS,
  MAX_SESSION_BYTES,
  WANT_IDS_MAX,
} from '../src/limits.ts'
import { createReconcileInitiator } from '../src/reconcile-initiator.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import type { SendSource } from '../src/send-source.ts'
import type { SessionAnswer } from '../src/session-call.ts'
import type { Effects } from '../src/session.ts'
import { createReceiver } from '../src/transfer-receiver.ts'
import { createSender, type TransferSender } from '../src/transfer-sender.ts'
import { converse } from './drive.ts'
import { createPair, type Pair } from './pair.ts'

const signedOf = (bytes: number): SignedIntention => ({ bytes: new Uint8Array(bytes), signature: new Uint8Array(64) })

/** Batches as the log would give them, one after the other, for ever when told so. */
function sourceOf(batches: readonly (readonly SignedIntention[])[], endless = false): SendSource {
  let next = 0
  return {
    next: () => {
      if (!endless && next >= batches.length) return undefined
      // The sender does not look into it.
      return { kind: 'read' } as ReturnType<SendSource['next']>
    },
    take: () => batches[next++ % batches.length] ?? [],
  }
}

/** Takes what a sender would send until it waits, answering its reads; the sizes of the frames. */
function pump(sender: TransferSender, first: Effects<never>): { count: number; bytes: number; last: boolean }[] {
  const frames: { count: number; bytes: number; last: boolean }[] = []
  const open = [...first]
  for (let effect = open.shift(); effect !== undefined; effect = open.shift()) {
    if (effect.kind === 'pull') open.push(...sender.loaded({} as SessionAnswer))
    else if (effect.kind === 'send' && effect.frame.case === 'intentions') {
      const intentions = (effect.frame.value.intentions ?? []) as { intention: Uint8Array; signature: Uint8Array }[]
      const bytes = intentions.reduce((sum, { intention, signature }) => sum + intention.length + signature.length, 0)
      frames.push({ count: intentions.length, bytes, last: effect.frame.value.last ?? false })
    } else throw new Error(`a sender only reads and sends, not ${JSON.stringify(effect)}`)
  }
  return frames
}

const ingested = (count: number, bytes: number) =>
  ({ count, bytes: BigInt(bytes) }) as Parameters<TransferSender['credit']>[0]
const sum = (frames: readonly { count: number; bytes: number }[], of: 'count' | 'bytes'): number =>
  frames.reduce((total, frame) => total + frame[of], 0)

describe('a sender', () => {
  test('with the largest intentions stops at the window in bytes, far below that in number', () => {
    const sender = createSender()
    const largest = signedOf(MAX_SIGNED_INTENTION_BYTES - 64)
    const frames = pump(sender, sender.begin(sourceOf([[largest]], true), Number.MAX_SAFE_INTEGER))
    expect(sum(frames, 'bytes')).toBe(CREDIT_WINDOW_BYTES)
    expect(frames.every(({ count }) => count === 1)).toBe(true)
    // Room for half of one is room for none.
    expect(pump(sender, sender.credit(ingested(1, MAX_SIGNED_INTENTION_BYTES)))).toHaveLength(1)
  })

  test('with small ones stops at the window in number, and goes on with as many as are credited', () => {
    const sender = createSender()
    const batch = Array.from({ length: 1000 }, () => signedOf(16))
    const frames = pump(sender, sender.begin(sourceOf([batch], true), Number.MAX_SAFE_INTEGER))
    expect(sum(frames, 'count')).toBe(CREDIT_WINDOW)
    expect(sum(pump(sender, sender.credit(ingested(7, 7 * 80))), 'count')).toBe(7)
  })

  test.each<[string, number, number]>([
    ['for more than is on its way', 3, 3 * 80],
    ['for none', 0, 0],
    ['in more bytes than are on their way', 1, 3 * 80],
    ['for all of them but not their bytes', 2, 80],
    ['for all of their bytes but not them', 1, 2 * 80],
    ['in bytes beyond what a number holds', 1, Number.MAX_SAFE_INTEGER],
  ])('takes no credit %s', (_, count, bytes) => {
    const sender = createSender()
    pump(sender, sender.begin(sourceOf([[signedOf(16), signedOf(16)]]), 9))
    expect(sender.credit(ingested(count, bytes))).toMatchObject([{ failure: { why: 'credit_not_owed' } }])
  })

  test('ends between two reads once it sent as many, or as many bytes, as a session takes', () => {
    const few = createSender()
    const frames = pump(few, few.begin(sourceOf([[signedOf(16), signedOf(16)]], true), 5))
    expect([sum(frames, 'count'), frames.at(-1)?.last]).toEqual([6, true])

    const much = createSender()
    const batch = Array.from({ length: 16 }, () => signedOf(MAX_SIGNED_INTENTION_BYTES - 64))
    let sent = 0
    let last = false
    for (let open = pump(much, much.begin(sourceOf([batch], true), Number.MAX_SAFE_INTEGER)); open.length > 0;) {
      sent += sum(open, 'bytes')
      last = open.at(-1)?.last ?? false
      open = last ? [] : pump(much, much.credit(ingested(sum(open, 'count'), sum(open, 'bytes'))))
    }
    expect(last).toBe(true)
    expect(sent).toBe(MAX_SESSION_BYTES)
  })
})

describe('a receiver', () => {
  const frameOf = (batch: readonly SignedIntention[]) =>
    ({
      intentions: batch.map(({ bytes, signature }) => ({ intention: bytes, signature })),
      last: false,
    }) as unknown as Parameters<ReturnType<typeof createReceiver>['intentions']>[0]

  test('holds no more bytes of a peer than its window, and takes more for what it gave credit for', async () => {
    const { viewOfA } = await createPair()
    const receiver = createReceiver(viewOfA)
    receiver.begin(10_000)
    const largest = frameOf([signedOf(MAX_SIGNED_INTENTION_BYTES - 64)])
    for (let held = 0; held < CREDIT_WINDOW_BYTES; held += MAX_SIGNED_INTENTION_BYTES) {
      expect(receiver.intentions(largest)).toMatchObject([{ kind: 'call' }])
    }
    expect(receiver.ingested([{ kind: 'duplicate', id: viewOfA.id as never }])).toMatchObject([
      { frame: { case: 'ingested', value: { count: 1, bytes: BigInt(MAX_SIGNED_INTENTION_BYTES) } } },
    ])
    expect(receiver.intentions(largest)).toMatchObject([{ kind: 'call' }])
    expect(receiver.intentions(frameOf([signedOf(1)]))).toMatchObject([{ failure: { why: 'credit_exceeded' } }])
  })

  test('takes no signature of any length for an intention within its size', async () => {
    const { viewOfA } = await createPair()
    const receiver = createReceiver(viewOfA)
    receiver.begin(10)
    const bloated = frameOf([{ bytes: new Uint8Array(9), signature: new Uint8Array(MAX_SIGNED_INTENTION_BYTES) }])
    expect(receiver.intentions(bloated)).toMatchObject([{ failure: { why: 'intention_too_large' } }])
  })
})

describe('a session', () => {
  const LARGE = 127 * 1024

  async function largeDifference(): Promise<Pair> {
    const pair = await createPair()
    for (let run = 0; run < 5; run += 1) pair.a.store.write(10, LARGE)
    for (let run = 0; run < 4; run += 1) pair.b.store.write(10, LARGE)
    return pair
  }

  test.each(['by maps', 'by ranges'] as const)(
    'of intentions at the limit keeps to frames and windows in bytes, %s',
    async (way) => {
      const pair = await largeDifference()
      const ahead = { a: 0, b: 0 }
      let most = 0
      const view = way === 'by maps' ? pair.viewOfA : { ...pair.viewOfA, chainTips: () => undefined }
      const { a, b } = await converse(
        createReconcileInitiator(view),
        createReconcileResponder({ resolve: () => pair.viewOfB }),
        {
          alter: (from, frame) => {
            expect(encodeFrame(frame as FrameInit).length).toBeLessThanOrEqual(MAX_FRAME_BYTES)
            ahead[from] += bytesOf(frame)
            if (frame.case === 'ingested') ahead[from === 'a' ? 'b' : 'a'] -= Number(frame.value.bytes)
            most = Math.max(most, ahead.a, ahead.b)
            return frame
          },
        },
      )
      expect([a.outcome?.synced, b.outcome?.synced]).toEqual([true, true])
      expect(most).toBeGreaterThan(CREDIT_WINDOW_BYTES - 256 * 1024)
      expect(most).toBeLessThanOrEqual(CREDIT_WINDOW_BYTES)
    },
  )

  test('asks for ids in frames within the limit, as many as a session takes', () => {
    const ids = Array.from({ length: WANT_IDS_MAX }, () => new Uint8Array(32).fill(255))
    expect(encodeFrame({ case: 'want', value: { ids } }).length).toBeLessThan(MAX_FRAME_BYTES / 2)
    expect(MAX_DIFFERENCE_IDS % WANT_IDS_MAX).toBe(0)
  })
})

function bytesOf(frame: Frame): number {
  if (frame.case !== 'intentions') return 0
  return frame.value.intentions.reduce(
    (total, { intention, signature }) => total + intention.length + signature.length,
    0,
  )
}
