import { toHash, toIntentionId, toPublicKey, toStoreId, utf8Decode, utf8Encode } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { decodeSystemKey, encodeSystemKey, type SystemKey } from './keys.ts'

const bytes = new Uint8Array(32).fill(0xab)
const hex = 'ab'.repeat(32)
const [peer, id, child, tokenHash] = [toPublicKey(bytes), toIntentionId(bytes), toStoreId(bytes), toHash(bytes)]

const golden: readonly (readonly [SystemKey, string])[] = [
  [{ kind: 'store', field: 'app-id' }, 'app-id'],
  [{ kind: 'schema_activation', activation: id }, `schema/${hex}`],
  [{ kind: 'peer', peer, field: 'added-at' }, `peer/${hex}/added-at`],
  [{ kind: 'grant', peer, grant: id }, `grant/${hex}/${hex}`],
  [{ kind: 'revocation', peer, revocation: id }, `revocation/${hex}/${hex}`],
  [{ kind: 'store_destroy_ack', peer }, `destroy-ack/${hex}`],
  [{ kind: 'child', child, field: 'independent' }, `child/${hex}/independent`],
  [{ kind: 'child', child, field: 'type' }, `child/${hex}/type`],
  [{ kind: 'destroy_ack', child, peer }, `child/${hex}/destroy-ack/${hex}`],
  [{ kind: 'invite', tokenHash, field: 'invited-by' }, `invite/${hex}/invited-by`],
  [{ kind: 'claim', tokenHash, peer }, `invite/${hex}/claimed-by/${hex}`],
  [{ kind: 'replication', field: 'factor' }, 'replication/factor'],
]

describe('keys of the system table', () => {
  test.each(golden)('are spelled as ever: %o', (key, text) => {
    expect(utf8Decode(encodeSystemKey(key))).toBe(text)
    expect(decodeSystemKey(utf8Encode(text))).toEqual(key)
  })

  test.each([
    '',
    'names',
    'peer',
    `peer/${hex}`,
    `peer/${hex}/rank`,
    `peer/${hex.toUpperCase()}/name`,
    `peer/${hex}/name/`,
    `grant/${hex}/ab`,
    `schema/`,
    `child/${hex}/destroy-ack`,
    `invite/${hex}/claimed-by/ab`,
    'replication/size',
    'name/',
  ])('nothing else is a key: %s', (text) => {
    expect(decodeSystemKey(utf8Encode(text))).toBeUndefined()
  })

  test('bytes that are no text are no key', () => {
    expect(decodeSystemKey(Uint8Array.of(0xff))).toBeUndefined()
  })
})
