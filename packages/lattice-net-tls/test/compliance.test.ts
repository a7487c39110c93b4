import { toPublicKey, toSeed } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { transportCompliance } from '@lattice/net-types/compliance'
import { describe, test } from 'vitest'
import { openTlsTransport } from '../src/index.ts'
import { hostScheduler } from './host-scheduler.ts'

const seedOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1)
const crypto = await openCrypto({ backend: 'wasm' })
const nobody = toPublicKey(crypto.keyPairFromSeed(toSeed(seedOf(99))).publicKey)

describe('the TLS transport over loopback', () => {
  const cases = transportCompliance({
    open: (index) =>
      openTlsTransport({
        secretSeed: toSeed(seedOf(index)),
        bindAddress: '127.0.0.1:0',
        scheduler: hostScheduler,
        onError: (error) => {
          throw error
        },
      }),
    // The discard port: nothing listens there.
    nobody: { peer: nobody, addresses: ['tls:127.0.0.1:9'] },
  })
  for (const { name, run } of cases) test(name, run)
})
