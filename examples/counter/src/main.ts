/**
 * Two nodes on this machine count together: `npm run example:counter`.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@lattice/store-base'
import { counterStore } from './counter-store.ts'
import type { Counter } from './gen/counter_pb.ts'
import { openCounterNode } from './open-node.ts'

const folder = mkdtempSync(join(tmpdir(), 'counter-'))
const laptop = await openCounterNode({ dataDir: join(folder, 'laptop'), name: 'laptop' })
const phone = await openCounterNode({ dataDir: join(folder, 'phone'), name: 'phone' })
try {
  await countTogether()
} finally {
  await Promise.all([laptop.close(), phone.close()])
  rmSync(folder, { recursive: true, force: true })
}

async function countTogether(): Promise<void> {
  const store = await laptop.node.createStore({ name: 'visits', storeType: counterStore.storeType })
  const { token } = await store.invite()
  const joined = await phone.node.join(token)

  const onLaptop = store.open(counterStore)
  const onPhone = joined.open(counterStore)
  await Promise.all([onLaptop.add({ name: 'page', by: 40n }), onPhone.add({ name: 'page', by: 2n })])
  console.log(`laptop: ${await reaches(onLaptop, 42n)}`)
  console.log(`phone: ${await reaches(onPhone, 42n)}`)

  await onLaptop.reset({ name: 'page' })
  console.log(`phone, after a reset on the laptop: ${await reaches(onPhone, 0n)}`)
}

/** Resolves once the counter stands at `value` here. */
async function reaches(counters: Client<typeof Counter>, value: bigint): Promise<bigint> {
  const ending = new AbortController()
  // Followed first and read second, so that nothing is missed in between.
  const changes = counters.watch({ prefix: 'page' }, ending.signal)
  const now = await counters.get({ name: 'page' })
  if (now.value !== value)
    for await (const { event } of changes) if (event.case === 'changed' && event.value.value === value) break
  ending.abort()
  return value
}
