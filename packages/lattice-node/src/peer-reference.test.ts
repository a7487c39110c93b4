import { toHex, toPublicKey } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { describe, expect, test } from 'vitest'
import { type NamedPeer, resolvePeer } from './peer-reference.ts'

const random = createSeededRandom('peers')
function peer(name: string, prefix: string): NamedPeer {
  const bytes = random.bytes(32)
  bytes.set(Uint8Array.from(prefix.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))
  return { publicKey: toPublicKey(bytes), name }
}
const anna = peer('anna', 'abcd01')
const bert = peer('bert', 'abcd02')
const nameless = peer('', 'ffee01')
// Calls itself what another's key begins with.
const posing = peer('ffee', '112233')
const twins = [peer('laptop', '445566'), peer('laptop', '445577')]
const all = [anna, bert, nameless, posing, ...twins]

function outcome(reference: string, peers: readonly NamedPeer[] = all): unknown {
  try {
    return resolvePeer(reference, peers)
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('a reference to a peer', () => {
  test('is a key, the beginning of one in either case, or a name', () => {
    expect(outcome(toHex(anna.publicKey))).toBe(anna)
    expect(outcome(` ${toHex(anna.publicKey).toUpperCase()}\n`)).toBe(anna)
    expect(outcome('abcd01')).toBe(anna)
    expect(outcome('ABCD02')).toBe(bert)
    expect(outcome('abcd0')).toBe('INVALID_ARGUMENT')
    expect(outcome('anna')).toBe(anna)
    expect(outcome('4455')).toBe('INVALID_ARGUMENT')
    expect(outcome('ffee0')).toBe(nameless)
  })

  test('that means several is refused with whom it could mean', () => {
    expect(() => resolvePeer('laptop', all)).toThrow(/laptop 445566.*laptop 445577/)
    expect(() => resolvePeer('abcd', all)).toThrow(
      expect.objectContaining({
        detail: {
          reference: 'abcd',
          candidates: [expect.stringMatching('^anna abcd01'), expect.stringMatching('bert')],
        },
      }),
    )
  })

  test('a name that looks like the beginning of another’s key takes nothing from it', () => {
    expect(outcome('ffee')).toBe('INVALID_ARGUMENT')
    const whole = toHex(anna.publicKey)
    const thief = peer(whole, '99')
    expect(outcome(whole, [thief, anna])).toBe(anna)
    expect(outcome(whole, [thief])).toBe('PEER_NOT_FOUND')
  })

  test('that means none is refused, whatever it is', () => {
    for (const reference of ['', ' ', 'abc', 'Anna', 'nobody', 'zzzz', 'x'.repeat(5000), 'ab'.repeat(32)]) {
      expect(outcome(reference)).toBe('PEER_NOT_FOUND')
    }
    expect(outcome('abcd', [])).toBe('PEER_NOT_FOUND')
  })

  test('many candidates are counted, and a few shown', () => {
    const crowd = Array.from({ length: 50 }, () => peer('same', 'aa'))
    expect(() => resolvePeer('same', crowd)).toThrow('fits 50 peers')
    try {
      resolvePeer('same', crowd)
    } catch (error) {
      expect((error as { detail: { candidates: unknown[] } }).detail.candidates).toHaveLength(8)
    }
  })
})
