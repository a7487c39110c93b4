import { isLatticeError, toPublicKey } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { BindFailed, PeerUnreachable, StreamLost } from './errors.ts'

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

test.each([
  ['EADDRINUSE', 'another program listens there'],
  ['Failed to bind sockets: Address already in use (os error 98)', 'another program listens there'],
  ['EADDRNOTAVAIL', 'no interface of this host has that address'],
  [
    'Failed to bind sockets: Cannot assign requested address (os error 99)',
    'no interface of this host has that address',
  ],
  ['EINVAL', 'no interface of this host has that address'],
  ['EACCES', 'this user may not listen on that port'],
  ['it is not an IP address with a port', 'it is not an IP address with a port'],
])('an address that cannot be listened on is refused in words: %s', (why, meaning) => {
  const failed = new BindFailed('10.0.0.9:80', why)
  expect(failed.message).toBe(`cannot listen on 10.0.0.9:80: ${meaning}; choose another bind address`)
  expect(failed.detail).toEqual({ address: '10.0.0.9:80', why })
})
