import { test } from 'vitest'
import { createMesh } from './mesh.ts'
test('prof', async () => {
  const mesh = await createMesh({ nodes: 2 })
  mesh.connectAll()
  await mesh.until('connection', () => mesh.node(0).service.connectedPeers().length === 1)
  await mesh.advance(5_000)
  const t = performance.now()
  for (let run = 0; run < 400; run += 1) mesh.node(0).store.write(2, 30_000)
  console.log('write', performance.now() - t)
  for (let i = 0; i < 40; i += 1) {
    await mesh.advance(100)
    console.log(
      performance.now() - t,
      mesh.node(1).store.digest().witnessCount,
      mesh.node(1).store.floatingCount(),
      mesh.node(1).store.ingested(),
      mesh.node(0).events.length,
    )
  }
  console.log(mesh.node(0).events)
  await mesh.close()
}, 60000)
