import { isLatticeError, toPublicKey } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { PeerUnreachable, StreamLost } from './errors.ts'

describe('failures of a transport', () => {
  test('say who was not reached, and where', () => {
    const cause = new Error('no route')
    const error = new PeerUnreachable(toPublicKey(new Uint8Array(32).fill(0xab)), ['sim:00'], { cause })
    expect(isLatticeError(error)).toBe(true)
    expect(error).toMatchObject({
      name: 'PeerUnreachable',
      code: 'PEER_UNREACHABLE',
      detail: { peer: 'ab'.repeat(32), addresses: ['sim:00'] },
      cause,
    })
    expect(error.message).toContain('abababababababab')
  })

  test('say why a stream ended', () => {
    const error = new StreamLost('reset')
    expect(isLatticeError(error)).toBe(true)
    expect(error.message).toBe('the connection ended: reset')
  })
})
