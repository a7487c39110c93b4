/**
 * Refusals: what one side tells the other instead of going on, and the error it becomes there.
 *
 * One table in both directions. A code this version does not know becomes a protocol violation, never a guess.
 *
 * @module
 */
import type { LatticeErrorCode } from '@lattice/model'
import { net } from '@lattice/proto'

type RefusalCode = net.RefusalCode

/** The error code a refusal has where it arrives. Exhaustive by type. */
const ERROR_OF_REFUSAL: Readonly<Record<RefusalCode, LatticeErrorCode>> = {
  [net.RefusalCode.UNSPECIFIED]: 'PROTOCOL_VIOLATION',
  [net.RefusalCode.PROTOCOL_UNKNOWN]: 'NOT_SUPPORTED',
  [net.RefusalCode.VERSION_UNSUPPORTED]: 'VERSION_UNSUPPORTED',
  [net.RefusalCode.NO_SUCH_STORE]: 'STORE_NOT_FOUND',
  [net.RefusalCode.BUSY]: 'PEER_UNREACHABLE',
  [net.RefusalCode.PROTOCOL_VIOLATION]: 'PROTOCOL_VIOLATION',
  [net.RefusalCode.LIMIT_EXCEEDED]: 'LIMIT_EXCEEDED',
  [net.RefusalCode.TOKEN_UNKNOWN]: 'TOKEN_UNKNOWN',
  [net.RefusalCode.TOKEN_EXPIRED]: 'TOKEN_EXPIRED',
  [net.RefusalCode.TOKEN_USED]: 'TOKEN_USED',
  [net.RefusalCode.TOKEN_CANCELLED]: 'TOKEN_REVOKED',
  [net.RefusalCode.REVOKED]: 'REVOKED',
  [net.RefusalCode.NOT_READY]: 'STORE_NOT_READY',
  [net.RefusalCode.INTERNAL]: 'INTERNAL',
  [net.RefusalCode.CLOCK_SKEW]: 'CLOCK_SKEW',
  [net.RefusalCode.NO_SUCH_TOPIC]: 'STORE_NOT_FOUND',
  [net.RefusalCode.PRUNED]: 'PRUNED',
  [net.RefusalCode.BASE_UNKNOWN]: 'BASE_UNKNOWN',
  [net.RefusalCode.SNAPSHOT_GONE]: 'SNAPSHOT_GONE',
}

const REFUSAL_OF_ERROR: ReadonlyMap<LatticeErrorCode, RefusalCode> = new Map(
  Object.values(net.RefusalCode)
    .filter((code) => code !== net.RefusalCode.UNSPECIFIED && code !== net.RefusalCode.NO_SUCH_TOPIC)
    .map((code) => [ERROR_OF_REFUSAL[code], code] as const),
)

/** The code of the error that a refusal from a peer becomes here. */
export function errorCodeOf(refusal: number): LatticeErrorCode {
  const codes: Readonly<Record<number, LatticeErrorCode | undefined>> = ERROR_OF_REFUSAL
  return codes[refusal] ?? 'PROTOCOL_VIOLATION'
}

/** The refusal that tells a peer of an error; `INTERNAL` for one that is none of its business. */
export function refusalOf(code: LatticeErrorCode): RefusalCode {
  return REFUSAL_OF_ERROR.get(code) ?? net.RefusalCode.INTERNAL
}
