import { isLatticeErrorCode } from '@lattice/model'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { PeerRefused } from './errors.ts'
import { errorCodeOf, refusalOf } from './refusal.ts'

describe('refusals', () => {
  test.each(Object.values(net.RefusalCode))('refusal %i becomes a known error code', (code) => {
    expect(isLatticeErrorCode(errorCodeOf(code))).toBe(true)
  })

  test.each([
    'TOKEN_UNKNOWN',
    'TOKEN_EXPIRED',
    'TOKEN_USED',
    'TOKEN_REVOKED',
    'STORE_NOT_FOUND',
    'STORE_NOT_READY',
    'REVOKED',
    'LIMIT_EXCEEDED',
    'PROTOCOL_VIOLATION',
    'VERSION_UNSUPPORTED',
  ] as const)('%s survives the way to the other side', (code) => {
    expect(errorCodeOf(refusalOf(code))).toBe(code)
  })

  test('an error that is none of the peer’s business is internal, a code of the future a violation', () => {
    expect(errorCodeOf(refusalOf('DISK_FULL'))).toBe('INTERNAL')
    expect(errorCodeOf(4711)).toBe('PROTOCOL_VIOLATION')
  })

  test('a stranger’s sentence is cut and cleaned before it is shown', () => {
    const error = new PeerRefused(3, `\u001b[31mboo\n${'x'.repeat(5_000)}`)
    expect(error.message).not.toMatch(/\p{Cc}/u)
    expect(error.message.length).toBeLessThan(300)
    expect(new PeerRefused(3, '').message).toBe('the peer refused: no such store')
  })
})
