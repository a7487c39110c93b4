/**
 * What a node is called in DNS: its key in base32, which is 52 letters and so fits a label, under the service of Lattice.
 *
 * Names of DNS have no case. Pure.
 *
 * @module
 */
import { type PublicKey, readPublicKey } from '@lattice/model'
import { base32nopad } from '@scure/base'

/** The service type; UDP since that is what its transports are found by, whatever they speak. */
export const SERVICE_NAME = '_lattice._udp.local'

const SUFFIX = `.${SERVICE_NAME}`
const LABEL_LENGTH = 52

export function instanceName(peer: PublicKey): string {
  return `${base32nopad.encode(peer).toLowerCase()}${SUFFIX}`
}

/** Undefined for the name of anything else. */
export function parseInstanceName(name: string): PublicKey | undefined {
  const lower = name.toLowerCase()
  if (lower.length !== LABEL_LENGTH + SUFFIX.length || !lower.endsWith(SUFFIX)) return undefined
  try {
    return readPublicKey(base32nopad.decode(lower.slice(0, LABEL_LENGTH).toUpperCase()))
  } catch {
    // Not base32, or bits beyond the key: not a name that a node gives itself.
    return undefined
  }
}

export function isServiceName(name: string): boolean {
  return name.toLowerCase() === SERVICE_NAME
}
