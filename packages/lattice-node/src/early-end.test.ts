import type { StoredIntention } from '@lattice/kernel'
import {
  createSigner,
  encodeUniversalOp,
  type FloatReason,
  type IdKey,
  idKey,
  type IntentionId,
  NO_HINTS,
  type ParsedIntention,
  type Signer,
  signIntention,
  sortDeps,
  toIntentionId,
  toSeed,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { expect, test } from 'vitest'
import { earlyEnd, notWitnessed } from './early-end.ts'

const crypto = await openCrypto({ backend: 'wasm' })
const signerOf = (byte: number): Signer =>
  createSigner(crypto, crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(byte))))
const [signer, other] = [signerOf(1), signerOf(2)]
/** Below the base, or witnessed: nobody waits for it. */
const here = toIntentionId(new Uint8Array(32).fill(9))
const nowhere = toIntentionId(new Uint8Array(32).fill(8))

/** What floats, one after another. */
function createFloating() {
  const floating = new Map<IdKey, StoredIntention>()
  let counter = 0
  const add = (
    reason: FloatReason,
    [prev = here, ...deps]: readonly IntentionId[],
    { close = true, by = signer }: { close?: boolean; by?: Signer } = {},
  ): IntentionId => {
    const parsed: ParsedIntention = signIntention(crypto, by, {
      intention: {
        author: by.publicKey,
        timestamp: { wall: 1_795_000_000_000, counter: (counter += 1) },
        storePrev: prev,
        causalDeps: sortDeps([prev, ...deps]),
        hints: NO_HINTS,
        ops: encodeUniversalOp({ kind: 'appData', schema: 1, value: new Uint8Array(1) }),
      },
      close,
    })
    const where = { seq: undefined, position: undefined, generation: undefined, witnessedMs: undefined }
    floating.set(idKey(parsed.id), { parsed, ...where, floating: reason })
    return parsed.id
  }
  let reads = 0
  const kernel = {
    get: (id: IntentionId) => {
      reads += 1
      return floating.get(idKey(id))
    },
    missing: (ids: readonly IntentionId[]) => ids.filter((id) => idKey(id) !== idKey(here)),
  }
  return { add, reads: () => reads, endOf: (...own: readonly IntentionId[]) => earlyEnd(kernel, own) }
}

test('a chain that is ahead of its time ends with what follows it', () => {
  const { add, endOf } = createFloating()
  const first = add('future', [here])
  const second = add('missing_causes', [first, here])
  const third = add('missing_causes', [second, add('future', [here])])
  expect(endOf(first)).toEqual(first)
  expect(endOf(first, second, third)).toEqual(third)
  expect(endOf()).toBeUndefined()
})

test('what follows something that nobody takes never comes', () => {
  const { add, endOf } = createFloating()
  const cut = add('revoked', [here])
  const after = add('missing_causes', [cut])
  expect(endOf(cut, after)).toBeUndefined()
  const early = add('future', [here])
  const beside = add('missing_causes', [early, after])
  expect(endOf(cut, after, early, beside, add('missing_causes', [beside]))).toEqual(early)
  expect(endOf(add('missing_causes', [early, nowhere]), add('not_admitted', [here]))).toBeUndefined()
})

test('a run comes with what its end waits for', () => {
  const { add, endOf } = createFloating()
  const [open, cut] = [add('missing_causes', [here], { close: false }), add('revoked', [here])]
  const early = add('future', [here])
  const end = add('missing_causes', [open, early])
  expect(endOf(open, end)).toEqual(end)
  expect(endOf(open, add('missing_causes', [open, early, cut]))).toBeUndefined()
})

test('a long chain costs a few looks at each', () => {
  const { add, endOf, reads } = createFloating()
  const chain = [add('revoked', [here])]
  for (let n = 0; n < 3000; n += 1) chain.push(add('missing_causes', [chain.at(-1) ?? here]))
  expect(endOf(...chain)).toBeUndefined()
  expect(reads()).toBeLessThan(5 * chain.length)
})

test('what another wrote beyond a cutoff is taken as a link in its time, where all that it cites is', () => {
  const { add, endOf } = createFloating()
  const early = add('future', [here], { by: other })
  const cut = add('revoked', [early], { by: other })
  const more = add('missing_causes', [cut], { by: other })
  const upon = add('missing_causes', [more])
  expect(endOf(upon)).toEqual(upon)
  expect(endOf(upon, add('missing_causes', [add('revoked', [nowhere], { by: other })]))).toEqual(upon)
})

test('what came before it was taken over is looked for as well, unless it is in the log', () => {
  const kernel = { has: (id: IntentionId) => idKey(id) === idKey(here) }
  const waiting = [
    { kind: 'floating', id: nowhere, reason: 'future', missing: [] },
    { kind: 'duplicate', id: nowhere },
    { kind: 'invalid', id: undefined, code: 'any' },
  ] as const
  expect(
    notWitnessed(kernel, [{ kind: 'witnessed', id: nowhere }, ...waiting, { kind: 'duplicate', id: here }]),
  ).toEqual(waiting)
})
