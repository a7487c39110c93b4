/**
 * Two daemons whose hosts let one of the two protocols through, then none, then the other: whichever works serves, and
 * nobody has to be told.
 */
import type { StoreId } from '@lattice/model'
import { beforeAll, expect, test } from 'vitest'
import { createStore, joinByToken, online } from './daemon-mesh.ts'
import type { DaemonProcess } from './daemon-process.ts'
import { describeOnHosts, put, sees } from './daemons-on-hosts.ts'

/** Two daemons are started and a mesh is made, on machines with few cores. */
const SLOW_MS = 60_000

describeOnHosts('two daemons between which packets are dropped', 2, ({ host, start }) => {
  let daemons: readonly DaemonProcess[] = []
  let storeId: StoreId
  const daemon = (number: number): DaemonProcess => {
    const found = daemons[number - 1]
    if (found === undefined) throw new Error('the daemon was not started')
    return found
  }
  const pathOf = async (number: number): Promise<readonly string[]> =>
    (await daemon(number).backend.node.getStatus({})).peers.map(({ path }) => path)
  const exchange = async (key: string): Promise<void> => {
    for (const number of [1, 2]) await put(daemon(number), storeId, `${key}/${number}`)
    await Promise.all([sees(daemon(1), storeId, [`${key}/2`]), sees(daemon(2), storeId, [`${key}/1`])])
  }

  beforeAll(async () => {
    daemons = await Promise.all([1, 2].map((number) => start(number, '--no-relay', '--no-lan')))
    storeId = await createStore(daemon(1))
  }, SLOW_MS)

  test('join and sync by TLS without UDP', { timeout: SLOW_MS }, async () => {
    await host(2).drop('udp')
    await joinByToken(daemon(1), daemon(2), storeId)
    await exchange('tls')
    expect(await pathOf(2)).toEqual(['tls'])
  })

  test('know each other as away without both', { timeout: SLOW_MS }, async () => {
    await host(2).drop('tcp')
    await Promise.all([online(daemon(1), 0), online(daemon(2), 0)])
    for (const number of [1, 2]) await put(daemon(number), storeId, `away/${number}`)
  })

  test('go on by QUIC without TCP', { timeout: SLOW_MS }, async () => {
    await host(2).admit('udp')
    await exchange('quic')
    await Promise.all([sees(daemon(1), storeId, ['away/2']), sees(daemon(2), storeId, ['away/1'])])
    expect(await pathOf(2)).toEqual(['iroh'])
  })

  test('change over to TLS when QUIC ends', { timeout: SLOW_MS }, async () => {
    await host(2).admit('tcp')
    await host(2).drop('udp')
    await exchange('again')
  })
})
