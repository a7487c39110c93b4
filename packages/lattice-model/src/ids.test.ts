import * as fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { bytesOf } from '../test/support.ts'
import { compareBytes, toHex } from './bytes.ts'
import {
  type Hash,
  idKey,
  idKeyBytes,
  type IntentionId,
  parseIntentionId,
  parsePublicKey,
  parseStoreId,
  type PublicKey,
  readHash,
  readIntentionId,
  readPublicKey,
  readSignature,
  readStoreId,
  type StoreId,
  toHash,
  toIntentionId,
  toPublicKey,
  toSecretKey,
  toSeed,
  toSignature,
  toStoreId,
  toWitnessSeq,
} from './ids.ts'
import { parseStoreType } from './store-type.ts'

const lengths: readonly [string, (bytes: Uint8Array) => unknown, number][] = [
  ['hash', toHash, 32],
  ['intention id', toIntentionId, 32],
  ['store id', toStoreId, 32],
  ['public key', toPublicKey, 32],
  ['seed', toSeed, 32],
  ['secret key', toSecretKey, 64],
  ['signature', toSignature, 64],
]

describe('minting', () => {
  test.each(lengths)('a %s of another length is a bug', (_name, mint, length) => {
    const bytes = new Uint8Array(length)
    expect(mint(bytes)).toBe(bytes)
    expect(() => mint(new Uint8Array(length - 1))).toThrow(`${length} bytes`)
    expect(() => mint(new Uint8Array(length + 1))).toThrow(`${length} bytes`)
  })

  test('a witness seq counts from 1 and is exact', () => {
    expect(toWitnessSeq(1)).toBe(1)
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 53]) expect(() => toWitnessSeq(bad)).toThrow('safe integer from 1')
  })

  test('an id from outside of another length is refused, not thrown', () => {
    for (const read of [readHash, readIntentionId, readStoreId, readPublicKey]) {
      expect(read(new Uint8Array(31))).toBeUndefined()
      expect(read(new Uint8Array(33))).toBeUndefined()
      expect(read(new Uint8Array(32))).toHaveLength(32)
    }
    expect(readSignature(new Uint8Array(32))).toBeUndefined()
    expect(readSignature(new Uint8Array(64))).toHaveLength(64)
  })

  test('a hex id is read only in full', () => {
    for (const parse of [parseIntentionId, parseStoreId, parsePublicKey]) {
      expect(parse('ab'.repeat(32))).toHaveLength(32)
      expect(parse('ab'.repeat(31))).toBeUndefined()
      expect(parse('zz'.repeat(32))).toBeUndefined()
    }
  })

  test('ids are nominal: a store id is an intention id is a hash, and a key is neither', () => {
    expectTypeOf<StoreId>().toExtend<IntentionId>()
    expectTypeOf<IntentionId>().toExtend<Hash>()
    expectTypeOf<Hash>().not.toExtend<IntentionId>()
    expectTypeOf<PublicKey>().not.toExtend<Hash>()
    expectTypeOf<Uint8Array>().not.toExtend<Hash>()
  })
})

describe('id keys', () => {
  const keyBytes = fc.oneof({ weight: 4, arbitrary: bytesOf(32) }, fc.uint8Array({ maxLength: 40 }))

  test('stand for their bytes and sort as they do', () => {
    fc.assert(
      fc.property(keyBytes, keyBytes, (a, b) => {
        expect(idKeyBytes(idKey(a))).toEqual(a)
        const order = idKey(a) < idKey(b) ? -1 : idKey(a) > idKey(b) ? 1 : 0
        expect(order).toBe(Math.sign(compareBytes(a, b)))
        expect(idKey(a) === idKey(b)).toBe(toHex(a) === toHex(b))
      }),
    )
  })
})

describe('store types', () => {
  test.each(['core:kv', 'a:b', 'my-app.v2:todo_list', `${'a'.repeat(63)}:${'b'.repeat(64)}`])('%s is one', (text) => {
    expect(parseStoreType(text)).toEqual({ ok: true, value: text })
  })

  test.each([
    ['', 'store_type_empty'],
    ['kv', 'store_type_malformed'],
    [':kv', 'store_type_malformed'],
    ['core:', 'store_type_malformed'],
    ['core:kv:x', 'store_type_malformed'],
    ['Core:kv', 'store_type_malformed'],
    ['core:kv\n', 'store_type_malformed'],
    ['core: kv', 'store_type_malformed'],
    ['cöre:kv', 'store_type_malformed'],
    [`${'a'.repeat(64)}:${'b'.repeat(64)}`, 'store_type_too_long'],
  ])('%j is refused', (text, code) => {
    expect(parseStoreType(text)).toMatchObject({ ok: false, error: { code } })
  })
})
