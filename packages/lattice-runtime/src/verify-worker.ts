/**
 * Entry of a thread of the pool: verifies what it is given, in the order it is given.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, verifyTagged } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { type FromVerifyWorker, judgeClaims, type VerifySettings, type VerifyTask } from './verify-protocol.ts'

assert(parentPort !== null, 'the entry runs in a worker')
const port = parentPort
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The starter is this package.
const settings = workerData as VerifySettings

function post(message: FromVerifyWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

async function start(): Promise<void> {
  const crypto = await openCrypto({ backend: settings.backend })
  port.on('message', ({ task, claims }: VerifyTask) => {
    const verdicts = judgeClaims(claims, ({ author, id, signature }) =>
      verifyTagged(crypto, author, { tag: 'lattice/intention/v1', hash: id, signature }),
    )
    post({ kind: 'verdicts', task, verdicts }, [verdicts.buffer])
  })
  post({ kind: 'ready' })
}

try {
  await start()
} catch (error) {
  post({ kind: 'failed', why: error instanceof Error ? error.message : String(error) })
}
