/**
 * What a kernel is given here: the machine's clock and timers, real cryptography, keys from numbers.
 *
 * @module
 */
import { type Clock, type Crypto, createSigner, type Scheduler, type Seed, type Signer, toSeed } from '@lattice/model'
import { openCrypto, type OpenedCrypto } from '@lattice/model/crypto'

export const crypto: OpenedCrypto = await openCrypto()

export const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

export const scheduler: Scheduler = {
  after: (delayMs, task) => {
    const handle = setTimeout(task, delayMs)
    return () => clearTimeout(handle)
  },
  soon: (task) => {
    const handle = setImmediate(task)
    return () => clearImmediate(handle)
  },
}

export function seedOf(number: number): Seed {
  const seed = new Uint8Array(32).fill(0x5e)
  new DataView(seed.buffer).setUint32(0, number)
  return toSeed(seed)
}

export function signerOf(number: number, backend: Crypto = crypto): Signer {
  return createSigner(backend, backend.keyPairFromSeed(seedOf(number)))
}

/** A fast generator with a seed: every run asks for the same keys and differences. Not for secrets. */
export function createDice(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1
  return (below) => {
    // xorshift32
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % below
  }
}
