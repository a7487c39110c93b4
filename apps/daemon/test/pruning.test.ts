/** Three real daemons cut the history of a store, and a fourth joins what is left. */
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StoreId, toHex, utf8Encode } from '@lattice/model'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digest, joinByToken, keyValue, syncAll } from './daemon-mesh.ts'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'

const KEYS = 10
const WRITES = 1500
/** Written at once: they share commits. */
const AT_ONCE = 50

let root: string
const running = new Map<string, DaemonProcess>()

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'latticed-prune-'))
})

afterAll(async () => {
  await Promise.all([...running.values()].map((each) => each.end('SIGKILL')))
  await rm(root, { recursive: true, force: true })
})

async function start(name: string): Promise<DaemonProcess> {
  const started = await startDaemon(join(root, name))
  running.set(name, started)
  return started
}

/** With what is written and not taken into the file yet. */
function logBytes(name: string, id: StoreId): number {
  const path = join(root, name, 'stores', toHex(id), 'log.db')
  return [path, `${path}-wal`].reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
}

/** Resolves once the daemon has deleted what lies below the epoch, with how many that were. */
async function pruned({ backend }: DaemonProcess, storeId: StoreId, epoch: Uint8Array): Promise<bigint> {
  let gone = 0n
  for await (const { base } of backend.store.followPruning({ storeId, epoch })) gone = base?.gone ?? 0n
  return gone
}

test(
  'a history of overwrites is cut on all, and a newcomer comes to the root that the quorum signed',
  { timeout: 120_000 },
  async () => {
    const [a, b, c] = await Promise.all([start('a'), start('b'), start('c')])
    const { id } = await a.backend.store.create({ name: 'team', storeType: 'core:kvstore' })
    const storeId = id as StoreId
    for (const guest of [b, c]) await joinByToken(a, guest, storeId)

    const kv = keyValue(a, storeId)
    const value = utf8Encode('x'.repeat(2_000))
    for (let n = 0; n < WRITES; n += AT_ONCE) {
      const keys = Array.from({ length: AT_ONCE }, (_, index) => utf8Encode(`key ${(n + index) % KEYS}`))
      await Promise.all(keys.map((key) => kv.put({ key, value })))
    }
    expect(await syncAll(a, storeId)).toBe(true)
    const before = logBytes('a', storeId)

    const plan = await a.backend.store.planPrune({ storeId })
    expect(plan.goes?.intentions).toBeGreaterThanOrEqual(BigInt(WRITES))
    const { epoch } = await a.backend.store.prune({ storeId })
    if (epoch === undefined) throw new Error('there is an epoch')
    expect(epoch.required).toHaveLength(2)
    expect(await syncAll(a, storeId)).toBe(true)
    for (const [name, node] of running) {
      expect(await pruned(node, storeId, epoch.id)).toBeGreaterThanOrEqual(BigInt(WRITES))

      // All that is live fits in a few pages.
      expect(logBytes(name, storeId)).toBeLessThan(before / 4)
    }

    const d = await start('d')
    await joinByToken(a, d, storeId)
    expect(await syncAll(d, storeId)).toBe(true)
    expect(await digest(d, storeId)).toBe(await digest(a, storeId))
    expect(logBytes('d', storeId)).toBeLessThan(before / 4)
    const { epochs } = await d.backend.store.listEpochs({ storeId })
    const { settled } = await d.backend.store.getSnapshot({ storeId })
    const signed = epochs.find((each) => toHex(each.id) === toHex(settled?.epoch ?? new Uint8Array(0)))
    expect(signed?.final).toBe(true)
    const own = await a.backend.store.getSnapshot({ storeId })
    expect(toHex(settled?.root ?? new Uint8Array(0))).toBe(toHex(own.settled?.root ?? new Uint8Array(1)))
  },
)
