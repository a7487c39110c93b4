/** What nodes sign of the state at epochs, and what they do where it is not the same. */
import { readdirSync } from 'node:fs'
import { toHex, utf8Encode } from '@lattice/model'
import { PAGE_ROWS_MAX, type RowPosition, type StateRow } from '@lattice/storage'
import { afterEach, describe, expect, test } from 'vitest'
import { EPOCH_ACK_DELAY_MS, type Kernel, type KernelEvent } from '../src/index.ts'
import { createMesh, creator, kindsOf, type Mesh, type Node, openThree } from './epoch-nodes.ts'
import { changeTable } from './damage.ts'
import { createTestStore, removeDirectories, START_MS, turnScheduler } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { appOp, createTrackingProjector, type TrackingProjector } from './tracking-projector.ts'

afterEach(removeDirectories)

function eventsOf({ kernel }: Node): readonly KernelEvent[] {
  const events: KernelEvent[] = []
  kernel.onEvent((event) => events.push(event))
  return events
}

/** Lets time and turns pass until something holds; the test ends by its own time where it never does. */
async function until(mesh: Mesh, holds: () => boolean): Promise<void> {
  while (!holds()) await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
}

async function closeAll(mesh: Mesh, nodes: readonly { readonly kernel: Kernel }[]): Promise<void> {
  for (const { kernel } of nodes) await mesh.run(kernel.close())
}

/** Makes of `set` what no other does. */
function createBrokenProjector(): TrackingProjector {
  const projector = createTrackingProjector()
  return {
    ...projector,
    get version() {
      return projector.version
    },
    apply: (tables, op) => {
      const outcome = projector.apply(tables, op)
      if (op.op?.op.case === 'appData') tables.app.set(utf8Encode('chance'), op.id)
      return outcome
    },
  }
}

describe('an epoch', () => {
  test('is vouched for by its author and those it names, and final, with the state kept by all', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh, { snapshots: true })
    await mesh.connect(nodes)
    await until(mesh, () => nodes.every(({ kernel }) => kernel.epochs()[0]?.isFinal === true))
    for (const { kernel } of nodes) {
      const [epoch] = kernel.epochs()
      expect(epoch).toMatchObject({ isSettled: true, isFinal: true, isDiverged: false })
      expect(epoch?.roots).toHaveLength(3)
      const { state, settled, candidate } = kernel.snapshot()
      expect({ state, candidate }).toEqual({ state: 'ready', candidate: undefined })
      expect(settled && toHex(settled.root)).toBe(epoch?.roots[0] && toHex(epoch.roots[0].root))
    }
    await mesh.scheduler.advanceAsync(1_000_000)
    expect(kindsOf(nodes[0].kernel, 'epochAck')).toHaveLength(3)
    await closeAll(mesh, nodes)
  })

  test('is settled and not vouched for by a node without the store type', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh)
    await mesh.connect(nodes)
    await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
    const [{ kernel }] = nodes
    expect(kernel.epochs()[0]).toMatchObject({ isSettled: true, isFinal: false, roots: [] })
    expect(kernel.snapshot()).toMatchObject({ state: 'off', settled: undefined })
    await expect(kernel.makeSnapshot()).rejects.toMatchObject({ code: 'WRONG_STATE' })
    await closeAll(mesh, nodes)
  })

  test('that is followed by another before its state is made is not acknowledged alone', async () => {
    const mesh = createMesh()
    const nodes = await openThree(mesh, { snapshots: true })
    const [a, b] = nodes
    await mesh.connect(nodes)
    await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS - 1)
    await mesh.run(a.kernel.submit(appOp('set x 1')))
    await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
    await until(mesh, () => b.kernel.epochs()[0]?.isFinal === true)
    const acked = kindsOf(b.kernel, 'epochAck', b.signer.publicKey)
    const [newest, older] = b.kernel.epochs()
    expect(acked.map(({ op }) => op.kind === 'epochAck' && toHex(op.value.epoch))).toEqual([newest && toHex(newest.id)])
    expect([newest?.isFinal, older?.isSettled]).toEqual([true, true])
    await closeAll(mesh, nodes)
  })
})

describe('a node that cannot make the state at an epoch', () => {
  test('does not acknowledge it, ends without a word, and does both once it can', async () => {
    const mesh = createMesh()
    const [a, b, c] = await openThree(mesh, { snapshots: true })
    await mesh.run(b.kernel.close())
    const full = {
      at: (point: string, path: string) => {
        if (point !== 'write' || !path.includes('snapshot.making')) return
        throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
      },
    }
    const stuck = await mesh.open(b.signer, { ...b.options, storageHooks: full })
    await mesh.connect([a, stuck, c])
    await until(mesh, () => c.kernel.snapshot().candidate !== undefined)
    await until(mesh, () => stuck.kernel.snapshot().failure !== undefined)
    await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS * 40)
    expect(stuck.kernel.snapshot()).toMatchObject({ state: 'none', failure: { code: 'DISK_FULL' } })
    await mesh.run(stuck.kernel.close())
    const { storageHooks: _, ...options } = stuck.options
    const again = await mesh.open(b.signer, options)
    expect(kindsOf(again.kernel, 'epochAck', b.signer.publicKey)).toEqual([])
    await mesh.connect([a, again, c])
    await until(mesh, () => a.kernel.epochs()[0]?.isFinal === true)
    expect(kindsOf(a.kernel, 'epochAck')).toHaveLength(3)
    await closeAll(mesh, [a, again, c])
  })
})

describe('a node whose machine is wrong', () => {
  test('and those that are right notice, nobody prunes, and all goes on once the machine is mended', async () => {
    const mesh = createMesh()
    const [a, b, c] = await openThree(mesh, { snapshots: true })
    await mesh.run(c.kernel.close())
    const broken = await mesh.open(c.signer, { snapshots: true, projector: createBrokenProjector() })
    await mesh.run(a.kernel.submit(appOp('set x 1')))
    await mesh.run(a.kernel.submit(appOp('set x 2')))
    await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
    const nodes = [a, b, broken]
    const events = nodes.map(eventsOf)
    await mesh.connect(nodes)
    await until(mesh, () => nodes.every(({ kernel }) => kernel.epochs()[0]?.roots.length === 3))
    await until(mesh, () => nodes.every(({ kernel }) => kernel.snapshot().settled !== undefined))
    for (const [index, { kernel, signer }] of nodes.entries()) {
      const told = events[index]?.filter((event) => event.kind === 'state_divergence') ?? []
      const { settled, divergences, state } = kernel.snapshot()
      expect(state).toBe('diverged')
      expect(told.at(-1)).toMatchObject({ epoch: settled?.epoch, ownRoot: settled?.root })
      const others = told.at(-1)?.others.map(({ author }) => toHex(author)) ?? []
      const isBroken = signer === broken.signer
      const wrong = nodes.filter((node) => (node.signer === broken.signer) !== isBroken)
      expect(others.toSorted()).toEqual(wrong.map((node) => toHex(node.signer.publicKey)).toSorted())
      expect(divergences.map(({ isOutvoted }) => isOutvoted)).toEqual([isBroken])
      // Two of three agree: the epoch is final, and nothing is cut there all the same.
      expect(kernel.epochs()[0]).toMatchObject({ isSettled: true, isFinal: true, isDiverged: true })
      await expect(mesh.run(kernel.submitEpoch({ kind: 'prune' }))).rejects.toMatchObject({
        code: 'WRONG_STATE',
        detail: { reason: 'state_diverged' },
      })
    }
    await mesh.run(broken.kernel.close())
    const mended = await mesh.open(c.signer, { ...broken.options, projector: createTrackingProjector() })
    expect(mended.kernel.snapshot().divergences).toHaveLength(1)
    await mesh.connect([a, b, mended])
    const removals = [{ peer: b.signer.publicKey, remains: 'writer' as const }]
    await mesh.run(a.kernel.submitEpoch({ kind: 'membership', removals }))
    const all = [a, b, mended]
    await until(mesh, () => all.every(({ kernel }) => kernel.epochs()[0]?.isFinal === true))
    for (const { kernel } of all) {
      expect(kernel.epochs()[0]).toMatchObject({ isFinal: true })
      expect(kernel.snapshot()).toMatchObject({ state: 'ready', divergences: [] })
    }
    const kept = readdirSync(mended.directory).filter((name) => name.startsWith('snapshot.diverged-'))
    expect(kept).toHaveLength(1)
    await closeAll(mesh, [a, b, mended])
  })
})

describe('the rows of a snapshot', () => {
  test('are read in pages of one state, until another takes its place', async () => {
    const mesh = createMesh()
    const a = await mesh.open(creator, { snapshots: true })
    expect(() => a.kernel.readSnapshot({ maxBytes: 1000 })).toThrow(expect.objectContaining({ code: 'WRONG_STATE' }))
    for (let n = 0; n < 20; n += 1) await mesh.run(a.kernel.submit(appOp(`set k${n} ${n}`)))
    await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
    await mesh.run(a.kernel.submit(appOp('set late 1')))
    const info = await mesh.run(a.kernel.makeSnapshot())
    const rows: StateRow[] = []
    for (let after: RowPosition | undefined, isLast = false; !isLast; after = rows.at(-1)) {
      const page = a.kernel.readSnapshot({ epoch: info.epoch, ...(after && { after }), maxBytes: 300 })
      expect(page.root).toEqual(info.root)
      expect(page.rows.length).toBeLessThan(PAGE_ROWS_MAX)
      rows.push(...page.rows)
      ;({ isLast } = page)
    }
    expect(rows.filter(({ table }) => table === 'app')).toHaveLength(20)
    expect({ system: 1, app: 20 }).toEqual(info.rows)
    await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
    await mesh.run(a.kernel.makeSnapshot())
    expect(() => a.kernel.readSnapshot({ epoch: info.epoch, maxBytes: 300 })).toThrow(
      expect.objectContaining({ code: 'SNAPSHOT_GONE' }),
    )
    expect(a.kernel.readSnapshot({ maxBytes: 100_000 }).rows).toHaveLength(22)
    await closeAll(mesh, [a])
  })
})

describe('making a snapshot', () => {
  test('leaves others their turn between few records of a slow machine', async () => {
    let nowMs = 0
    const clock = { wallMs: () => START_MS + 1000, monotonicMs: () => nowMs }
    const slow = createTrackingProjector()
    const inTurn = { count: 0, most: 0, isCounted: false }
    const projector = {
      ...slow,
      version: slow.version,
      apply: (...args: Parameters<typeof slow.apply>) => {
        nowMs += 2
        inTurn.count += 1
        if (inTurn.isCounted) inTurn.most = Math.max(inTurn.most, inTurn.count)
        return slow.apply(...args)
      },
    }
    const scheduler = {
      ...turnScheduler,
      soon: (task: () => void) =>
        turnScheduler.soon(() => {
          inTurn.count = 0
          task()
        }),
    }
    const options = { clock, projector, scheduler, membership: createModelPolicy(), snapshots: true }
    const { kernel } = await createTestStore(options)
    await kernel.submitMany(Array.from({ length: 300 }, (_, n) => ({ op: appOp(`set k${n} ${n}`) })))
    inTurn.isCounted = true
    await kernel.submitEpoch({ kind: 'initial' })
    expect((await kernel.makeSnapshot()).rows.app).toBe(300)
    expect(inTurn.most).toBeGreaterThan(0)
    expect(inTurn.most).toBeLessThan(8)
    await kernel.close()
  })

  test('is checked against its rows and what was signed', async () => {
    const options = { membership: createModelPolicy(), snapshots: true }
    const { kernel, directory } = await createTestStore(options)
    await kernel.submit(appOp('set k 1'))
    await kernel.submitEpoch({ kind: 'initial' })
    await kernel.makeSnapshot()
    expect((await kernel.verify({ full: true })).problems).toEqual([])
    await kernel.close()
    changeTable(directory, "UPDATE app SET value = x'00'", 'snapshot.db')
    const again = await createTestStore({ ...options, directory })
    await again.kernel.makeSnapshot()
    const { problems } = await again.kernel.verify({ full: true })
    expect(problems.map(({ kind, what }) => `${kind}: ${what}`)).toEqual([
      expect.stringMatching(/^state: the snapshot at epoch [0-9a-f]{16} has rows that its root is not of$/),
    ])
    await again.kernel.close()
  })
})
