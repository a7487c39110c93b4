import { toPublicKey, toSeed } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { transportCompliance } from '@lattice/net-types/compliance'
import { describe, test } from 'vitest'
import { openIrohTransport } from '../src/index.ts'
import { hostScheduler } from './host-scheduler.ts'

const seedOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1)
/** Several cases share the machine with each other, and with other packages' tests. */
const MAX_CASE_MS = 60_000
const crypto = await openCrypto({ backend: 'wasm' })
const nobody = toPublicKey(crypto.keyPairFromSeed(toSeed(seedOf(99))).publicKey)

describe('the iroh transport over loopback', () => {
  const cases = transportCompliance({
    open: (index) =>
      openIrohTransport({
        secretSeed: toSeed(seedOf(index)),
        bindAddress: '127.0.0.1:0',
        relay: 'off',
        scheduler: hostScheduler,
        connectTimeoutMs: 5000,
        onError: (error) => {
          throw error
        },
      }),
    // The discard port: nothing listens there.
    nobody: { peer: nobody, addresses: ['iroh:127.0.0.1:9'] },
  })
  // Side by side: a few of them spend their time waiting for somebody who never answers.
  for (const { name, run } of cases) test.concurrent(name, run, MAX_CASE_MS)
})
