/**
 * Daemons on hosts of their own that know of each other nothing but the key: they find each other by the LAN alone, and
 * again after whatever happens to their links.
 */
import type { StoreId } from '@lattice/model'
import { beforeAll, test } from 'vitest'
import { createStore, online } from './daemon-mesh.ts'
import type { DaemonProcess } from './daemon-process.ts'
import { describeOnHosts, put, sees } from './daemons-on-hosts.ts'

/** Two daemons are started and a mesh is made, on machines with few cores. */
const SLOW_MS = 60_000

describeOnHosts('two daemons on a LAN', 2, ({ host, start, kill }) => {
  let [a, b]: [DaemonProcess | undefined, DaemonProcess | undefined] = [undefined, undefined]
  let storeId: StoreId
  const daemon = (one: DaemonProcess | undefined): DaemonProcess => {
    if (one === undefined) throw new Error('the daemon was not started')
    return one
  }

  beforeAll(async () => {
    ;[a, b] = await Promise.all([start(1, '--no-relay'), start(2, '--no-relay')])
    storeId = await createStore(a)
  }, SLOW_MS)

  test('find each other though the token says where the inviter was', { timeout: SLOW_MS }, async () => {
    const { token } = await daemon(a).backend.store.invite({ storeId })
    await host(1).moveTo('10.88.0.101')
    for await (const _progress of daemon(b).backend.store.join({ token }));
    await put(daemon(a), storeId, 'joined')
    await sees(daemon(b), storeId, ['joined'])
  })

  test('find each other after a move', { timeout: SLOW_MS }, async () => {
    await host(2).moveTo('10.88.0.102')
    await put(daemon(a), storeId, 'moved/a')
    await put(daemon(b), storeId, 'moved/b')
    await Promise.all([sees(daemon(b), storeId, ['moved/a']), sees(daemon(a), storeId, ['moved/b'])])
  })

  test('find each other after one was killed and both have moved', { timeout: SLOW_MS }, async () => {
    await kill(daemon(b))
    await host(1).moveTo('10.88.0.111')
    await host(2).moveTo('10.88.0.112')
    b = await start(2, '--no-relay')
    await online(b, 1)
    await put(b, storeId, 'killed/b')
    await sees(daemon(a), storeId, ['killed/b'])
  })

  test('find each other after a cable was pulled and another address given', { timeout: SLOW_MS }, async () => {
    await host(1).unplug()
    await put(daemon(a), storeId, 'pulled/a')
    await put(daemon(b), storeId, 'pulled/b')
    await host(2).moveTo('10.88.0.122')
    await host(1).plugIn()
    await Promise.all([sees(daemon(b), storeId, ['pulled/a']), sees(daemon(a), storeId, ['pulled/b'])])
  })
})
