import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { createSigner, type SignatureClaim, toIntentionId, toSeed, verifyIntention } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { createVerifyPool, type VerifyPool, type VerifyPoolOptions } from './verify-pool.ts'

const crypto = await openCrypto()
const signers = [1, 2, 3].map((byte) =>
  createSigner(crypto, crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(byte)))),
)

const opened: VerifyPool[] = []
const faults: unknown[] = []

function poolOf(options: Partial<VerifyPoolOptions> = {}): VerifyPool {
  const pool = createVerifyPool({ crypto, threads: 2, onFault: (why) => faults.push(why), ...options })
  opened.push(pool)
  return pool
}

const children: ChildProcess[] = []

afterEach(async () => {
  for (const child of children.splice(0)) child.kill()
  await Promise.all(opened.splice(0).map((pool) => pool.close()))
  faults.length = 0
})

type Kind = 'good' | 'other author' | 'changed' | 'short' | 'none'

function claimOf(number: number, kind: Kind): SignatureClaim {
  const id = toIntentionId(crypto.blake3(Uint8Array.of(number)))
  const signer = signers[number % signers.length] ?? signers[0]
  const other = signers[(number + 1) % signers.length] ?? signers[0]
  if (signer === undefined || other === undefined) throw new Error('there are signers')
  const signature: Uint8Array = signer.sign('lattice/intention/v1', id).slice()
  if (kind === 'changed') signature[number % 64] = (signature[number % 64] ?? 0) ^ 1
  const author = kind === 'other author' ? other.publicKey : signer.publicKey
  if (kind === 'none') return { author, id, signature: new Uint8Array(0) }
  return { author, id, signature: kind === 'short' ? signature.subarray(1) : signature }
}

const kinds: readonly Kind[] = ['good', 'other author', 'changed', 'short', 'none']
const batches = fc
  .array(fc.tuple(fc.nat({ max: 255 }), fc.constantFrom(...kinds)), { maxLength: 70 })
  .map((claims) => claims.map(([number, kind]) => claimOf(number, kind)))

const inPlace = (claims: readonly SignatureClaim[]): readonly boolean[] =>
  claims.map(({ author, id, signature }) => verifyIntention(crypto, author, { id, signature }))

/** A thread that is ready and then does what `script` says. */
const scripted = (script: string) => (): Worker =>
  new Worker(`const { parentPort } = require('node:worker_threads')\n${script}`, { eval: true })

describe('the pool', () => {
  test('gives the verdicts that verifying in place gives, in the order of the claims', async () => {
    const pool = poolOf()
    await pool.start()
    await fc.assert(
      fc.asyncProperty(fc.array(batches, { maxLength: 6 }), async (several) => {
        const verdicts = await Promise.all(several.map((batch) => pool.verifyBatch(batch)))
        expect(verdicts).toEqual(several.map(inPlace))
      }),
      { numRuns: 30 },
    )
    expect(faults).toEqual([])
  })

  test('answers while no thread is ready yet', async () => {
    const batch = [claimOf(1, 'good'), claimOf(2, 'changed')]
    expect(await poolOf().verifyBatch(batch)).toEqual([true, false])
  })

  test('verifies in place what a thread that dies leaves, and all after it; says so once', async () => {
    const pool = poolOf({
      startWorker: scripted(
        `parentPort.postMessage({ kind: 'ready' }); parentPort.on('message', () => process.exit(3))`,
      ),
    })
    await pool.start()
    const batch = [claimOf(1, 'good'), claimOf(2, 'other author'), claimOf(3, 'good')]
    const answers = await Promise.all([pool.verifyBatch(batch), pool.verifyBatch(batch), pool.verifyBatch(batch)])
    expect(answers).toEqual([inPlace(batch), inPlace(batch), inPlace(batch)])
    expect(await pool.verifyBatch(batch)).toEqual(inPlace(batch))
    expect(faults).toHaveLength(1)
  })

  test.each([
    ['says that it cannot start', scripted(`parentPort.postMessage({ kind: 'failed', why: 'no cryptography' })`)],
    ['throws as it starts', scripted(`throw new Error('no module')`)],
    [
      'cannot be made',
      (): Worker => {
        throw new Error('no threads here')
      },
    ],
  ])('does without a thread that %s', async (_, startWorker) => {
    const pool = poolOf({ startWorker })
    await pool.start()
    expect(await pool.verifyBatch([claimOf(1, 'good')])).toEqual([true])
    expect(faults).toHaveLength(1)
  })

  test('closes with batches under way: each is answered; so are those that come later', async () => {
    const pool = poolOf()
    await pool.start()
    const batch = Array.from({ length: 64 }, (_, number) => claimOf(number, 'good'))
    const underWay = Array.from({ length: 8 }, () => pool.verifyBatch(batch))
    await Promise.all([pool.close(), pool.close()])
    expect((await Promise.all(underWay)).flat().every(Boolean)).toBe(true)
    expect(await pool.verifyBatch([claimOf(1, 'changed')])).toEqual([false])
    expect(faults).toEqual([])
  })

  test.each(['idle', 'verify'])('keeps no process alive that has nothing else to do: %s', async (mode) => {
    // A file: a script on the command line ends whatever it holds.
    const entry = join(import.meta.dirname, '..', 'test', 'idle-pool.ts')
    const child = spawn(process.execPath, ['--conditions=source', entry, mode], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [[chunk], [code]] = await Promise.all([once(child.stdout, 'data'), once(child, 'exit')])
    expect([String(chunk), code]).toEqual(['done', 0])
  })
})
