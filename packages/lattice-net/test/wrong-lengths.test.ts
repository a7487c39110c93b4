import { concatBytes, MAX_FRAME_BYTES } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeFrame, type Frame, type FrameInit } from '../src/frame.ts'
import { createFrameDecoder } from '../src/frame-decoder.ts'
import { type Fail, violation } from '../src/session.ts'
import { converse } from './drive.ts'
import { PROTOCOLS } from './protocols.ts'

/** A length as frames carry it, in its shortest form. */
function prefixOf(length: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) + 128)
    if (rest < 128) return Uint8Array.from(bytes)
  }
}

function bodyOf(frame: Frame): Uint8Array {
  const bytes = encodeFrame(frame as FrameInit)
  return bytes.subarray(bytes.findIndex((byte) => byte < 128) + 1)
}

/** What the shell makes of the bytes: a frame, or the failure of the session. A frame that never ends is waited for. */
function arriving(bytes: Uint8Array): Frame | Fail {
  const decoder = createFrameDecoder()
  decoder.push(bytes)
  const next = decoder.next()
  if (!next.ok) return violation(next.error.code)
  if (next.value !== undefined) return next.value
  const end = decoder.end()
  return end.ok ? violation('no_frame') : violation(end.error.code)
}

/** The byte fields of a frame, wherever they are in it. */
function byteFields(value: unknown, found: { readonly in: Record<string, unknown>; readonly name: string }[] = []) {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return found
  for (const [name, field] of Object.entries(value)) {
    if (field instanceof Uint8Array) found.push({ in: value as Record<string, unknown>, name })
    else byteFields(field, found)
  }
  return found
}

/** Number 2000, two bytes that are no message: what a later version may add. */
const UNKNOWN_FIELD = Uint8Array.from([0x82, 0x7d, 2, 1, 1])

/** The body of a frame with such a field in its message. */
function withUnknownField(body: Uint8Array): Uint8Array {
  const tagEnd = body.findIndex((byte) => byte < 128) + 1
  const message = body.subarray(tagEnd + body.subarray(tagEnd).findIndex((byte) => byte < 128) + 1)
  const longer = concatBytes(message, UNKNOWN_FIELD)
  return concatBytes(body.subarray(0, tagEnd), prefixOf(longer.length), longer)
}

type Change = (frame: Frame, where: number) => Frame | Fail
const CHANGES: Readonly<Record<string, Change>> = {
  truncated: (frame, where) => {
    const body = bodyOf(frame)
    const cut = body.subarray(0, Math.floor(body.length * where))
    return arriving(concatBytes(prefixOf(cut.length), cut))
  },
  'shorter than it says': (frame, where) => {
    const body = bodyOf(frame)
    return arriving(concatBytes(prefixOf(body.length), body.subarray(0, Math.floor(body.length * where))))
  },
  'longer than it says': (frame, where) => {
    const body = bodyOf(frame)
    return arriving(concatBytes(prefixOf(Math.floor(body.length * where)), body))
  },
  extended: (frame, where) => {
    const body = concatBytes(bodyOf(frame), new Uint8Array(1 + Math.floor(where * 300)).fill(Math.floor(where * 256)))
    return arriving(concatBytes(prefixOf(body.length), body))
  },
  'with fields that are not known': (frame) => {
    const body = concatBytes(withUnknownField(bodyOf(frame)), UNKNOWN_FIELD)
    return arriving(concatBytes(prefixOf(body.length), body))
  },
  doubled: (frame) => {
    const body = concatBytes(bodyOf(frame), bodyOf(frame))
    return arriving(concatBytes(prefixOf(body.length), body))
  },
  empty: () => arriving(prefixOf(0)),
  'as long as a frame may be': (_, where) =>
    arriving(concatBytes(prefixOf(MAX_FRAME_BYTES), new Uint8Array(MAX_FRAME_BYTES).fill(Math.floor(where * 256)))),
  'longer than a frame may be': () => arriving(prefixOf(MAX_FRAME_BYTES + 1)),
  'with a field of another length': (frame, where) => {
    const fields = byteFields(frame.value)
    const field = fields[Math.floor(where * fields.length)]
    if (field === undefined) return frame
    const old = field.in[field.name] as Uint8Array
    const lengths = [0, Math.max(0, old.length - 1), old.length + 1, 2 * old.length, 300_000]
    const changed = new Uint8Array(lengths[Math.floor(where * 7919) % lengths.length] ?? 0)
    changed.set(old.subarray(0, changed.length))
    field.in[field.name] = changed
    return frame
  },
}

const saysSynced = (outcome: unknown): boolean => (outcome as { synced?: boolean } | undefined)?.synced === true

describe.each(Object.entries(PROTOCOLS))('%s with a frame of a wrong length', (_, make) => {
  test('ends by name or goes on, never throws, and the next session finishes', async () => {
    const protocol = await make()
    const { a, b } = protocol.session()
    const { delivered } = await converse(a, b, { joinHandler: protocol.joinHandler, end: true })
    await fc.assert(
      fc.asyncProperty(
        fc.nat(delivered - 1),
        fc.constantFrom(...Object.keys(CHANGES)),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        async (target, name, where) => {
          const change = CHANGES[name]
          if (change === undefined) throw new Error('a known change')
          const attacked = await make()
          const before = attacked.held()
          const machines = attacked.session()
          let count = 0
          const { joinHandler } = attacked
          const result = await converse(machines.a, machines.b, {
            joinHandler,
            end: true,
            alter: (_from, frame) => {
              count += 1
              return count - 1 === target ? change(frame, where) : frame
            },
          })
          for (const { failure } of [result.a, result.b]) {
            if (failure === undefined) continue
            expect(['violation', 'refuse', 'refused', 'bootstrap', 'lost']).toContain(failure.kind)
            if ('why' in failure) expect(failure.why).toMatch(/^[a-z_ ]+$/)
          }
          expect(attacked.held()).toBeGreaterThanOrEqual(before)
          const outcomes = [result.a.outcome, result.b.outcome]
          if (outcomes.every((outcome) => saysSynced(outcome))) expect(attacked.isDone()).toBe(true)
          const again = attacked.session()
          const next = await converse(again.a, again.b, { joinHandler, end: true })
          expect([next.a.failure, next.b.failure]).toEqual([undefined, undefined])
          expect(attacked.isDone()).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('what is added later', () => {
  test.each(Object.entries(PROTOCOLS))('a field that is not known is passed over: %s', async (_, make) => {
    const protocol = await make()
    const { a, b } = protocol.session()
    const result = await converse(a, b, {
      joinHandler: protocol.joinHandler,
      end: true,
      alter: (_from, frame) => CHANGES['with fields that are not known']?.(frame, 0) ?? frame,
    })
    expect([result.a.failure, result.b.failure]).toEqual([undefined, undefined])
    expect(protocol.isDone()).toBe(true)
  })

  test('a kind of frame that is not known breaks the protocol', () => {
    expect(arriving(Uint8Array.from([3, 0x82, 0x7d, 0]))).toMatchObject({ failure: { why: 'frame_unknown' } })
  })
})
