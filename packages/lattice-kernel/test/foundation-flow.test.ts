import { toHex } from '@lattice/model'
import { afterEach, expect, test } from 'vitest'
import { createFoundationWriter, EPOCH_ACK_DELAY_MS } from '../src/index.ts'
import { createMesh, openThree } from './epoch-nodes.ts'
import { crypto, removeDirectories, signerOf, temporaryDirectory } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

test('flow', async () => {
  const mesh = createMesh()
  const nodes = await openThree(mesh, { snapshots: true })
  const [a, b] = nodes
  await mesh.connect(nodes)
  for (let n = 0; n < 5; n += 1) await mesh.run(a.kernel.submit(appOp(`set k${n} ${n}`)))
  await mesh.run(b.kernel.submit(appOp('set kb 1')))
  const epoch = await mesh.run(a.kernel.submitEpoch({ kind: 'initial' }))
  while (a.kernel.snapshot().settled === undefined || toHex(a.kernel.snapshot().settled?.epoch ?? epoch) !== toHex(epoch) || a.kernel.epochs()[0]?.isFinal !== true)
    await mesh.scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
  await mesh.run(b.kernel.submit(appOp('set kb 2')))
  const foundation = a.kernel.foundation(epoch)
  const items = foundation?.read(0, 1e9) ?? []
  console.log(items.map((i) => [i.kind, JSON.stringify(i.place ?? i.head ?? '')]))
  const directory = temporaryDirectory()
  const writer = createFoundationWriter({ directory, storeId: a.kernel.storeId, crypto, signer: signerOf(7), membership: createModelPolicy(), clock: mesh.scheduler.clock })
  expect(writer.add(items)).toEqual({ ok: true, value: undefined })
  const end = writer.finish()
  console.log(end)
  writer.close()
  const j = await mesh.open(signerOf(7), { directory, snapshots: true, genesis: undefined })
  expect(j.kernel.base()?.epoch).toEqual(epoch)
  console.log(j.kernel.base(), j.kernel.stats(), j.kernel.projection())
  const over = a.kernel.over(epoch)
  const idx = over?.rangeIndex()
  const ids = [...(idx?.items(0, idx.size()) ?? [])].map(({ id }) => id)
  const missing = j.kernel.missing(ids as never)
  console.log(missing.length, ids.length)
  console.log(await mesh.run(j.kernel.ingest(a.kernel.read(missing, 1e6).intentions, undefined)))
  expect(j.kernel.digest()).toEqual(over?.digest())
  for (const { kernel } of [...nodes, j]) await mesh.run(kernel.close())
})
