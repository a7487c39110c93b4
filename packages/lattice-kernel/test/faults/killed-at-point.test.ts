/** Real processes that end by SIGKILL at every storage point of a short life, on real files. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { assert, equalBytes, parseIntentionId } from '@lattice/model'
import { afterEach, expect, test } from 'vitest'
import { createTestStore, removeDirectories, signerOf, temporaryDirectory } from '../harness.ts'
import { appOp } from '../tracking-projector.ts'

afterEach(removeDirectories)

const SCRIPT = join(import.meta.dirname, 'killed-at-point.ts')
/** Processes at once: as many as there are cores, on a small machine. */
const AT_ONCE = 2

interface Life {
  readonly signal: string | null
  readonly lines: readonly string[]
}

async function live(directory: string, killAt: number): Promise<Life> {
  const child = spawn(process.execPath, ['--conditions=source', SCRIPT, directory, String(killAt)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Compiled once for all of them.
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (data: string) => (said += data))
  await once(child, 'close')
  return { signal: child.signalCode, lines: said.split('\n').filter((line) => line !== '') }
}

let compileCache = ''

/** Everything that was promised is there, state is what the log makes, and the own chain goes on. */
async function expectIntact(directory: string, promises: readonly string[]): Promise<void> {
  const { kernel } = await createTestStore({ directory })
  for (const line of promises) {
    const [kind, hex = ''] = line.split(' ')
    const id = parseIntentionId(hex)
    assert(id !== undefined, 'a whole line ends with an id')
    expect(kind === 'floating' ? kernel.get(id) !== undefined : kernel.has(id)).toBe(true)
  }
  expect(kernel.projection().appliedSeq).toBe(kernel.stats().witnessCount)
  const digest = await kernel.stateDigest()
  await kernel.rebuild()
  expect(await kernel.stateDigest()).toEqual(digest)
  await kernel.submit(appOp('after'))
  expect(kernel.stats().forkCount).toBe(0)
  const own = kernel.tips().find(({ author }) => equalBytes(author, signerOf(1).publicKey))
  expect(own?.tips).toHaveLength(1)
  await kernel.close()
}

test('a process killed at any storage point keeps what it promised', { timeout: 120_000 }, async () => {
  compileCache = temporaryDirectory()
  const whole = await live(join(temporaryDirectory(), 'store'), 0)
  expect(whole.signal).toBeNull()
  const points = Number(whole.lines.at(-1)?.split(' ')[1])
  expect(points).toBeGreaterThan(30)
  let next = 1
  let promised = 0
  const work = async (): Promise<void> => {
    while (next <= points) {
      const killAt = next
      next += 1
      const directory = join(temporaryDirectory(), 'store')
      const { signal, lines } = await live(directory, killAt)
      expect(signal).toBe('SIGKILL')
      await expectIntact(directory, lines)
      promised += lines.length
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  expect(promised).toBeGreaterThan(points)
})
