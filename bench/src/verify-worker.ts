/**
 * A thread that says when it is ready, verifies its share when told, and says so.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, toHash, toPublicKey, verifyTagged } from '@lattice/model'
import type { VerifyTask } from './verify-on-all-cores.ts'
import { crypto } from './world.ts'

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one that starts this thread gives a task.
const { author, hashes, signatures } = workerData as VerifyTask
const port = parentPort
assert(port !== null, 'this is a thread')

port.once('message', () => {
  const publicKey = toPublicKey(author)
  for (let index = 0; index * 32 < hashes.length; index += 1) {
    const hash = toHash(hashes.subarray(index * 32, index * 32 + 32))
    const signature = signatures.subarray(index * 64, index * 64 + 64)
    assert(verifyTagged(crypto, publicKey, { tag: 'lattice/intention/v1', hash, signature }), 'every signature is good')
  }
  port.postMessage('done')
})
port.postMessage('ready')
