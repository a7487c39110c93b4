/**
 * One cryptography for all nodes and meshes of a process: the one that users have, which differs between machines in speed
 * alone. It keeps nothing between two calls.
 *
 * @module
 */
import type { Crypto } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'

let opened: Promise<Crypto> | undefined

export function sharedCrypto(): Promise<Crypto> {
  opened ??= openCrypto()
  return opened
}
