/**
 * Daemons on hosts of their own for the tests of a file: hosts and daemons are made once, and gone when the tests are done.
 *
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, type StoreId, utf8Decode, utf8Encode } from '@lattice/model'
import { afterAll, beforeAll, describe } from 'vitest'
import { keyValue } from './daemon-mesh.ts'
import { type DaemonProcess, startDaemonOn } from './daemon-process.ts'
import { createHostNetwork, type Host, type HostNetwork, whyNoNamespaces } from './namespaces.ts'

export interface DaemonsOnHosts {
  /** Counted from 1. */
  readonly host: (number: number) => Host
  /** Starts a daemon on a host, anew where one has ended. */
  readonly start: (number: number, ...flags: readonly string[]) => Promise<DaemonProcess>
  readonly kill: (daemon: DaemonProcess) => Promise<void>
}

/** Describes what needs `count` hosts; skipped, with the reason, where they cannot be made. */
export function describeOnHosts(name: string, count: number, body: (daemons: DaemonsOnHosts) => void): void {
  const why = whyNoNamespaces()
  if (why !== undefined) process.stderr.write(`skipped: ${name}: ${why}\n`)
  describe.skipIf(why !== undefined)(name, () => {
    let network: HostNetwork | undefined
    let root = ''
    const running = new Set<DaemonProcess>()
    const host = (number: number): Host => {
      const found = network?.hosts[number - 1]
      assert(found !== undefined, 'the host was made')
      return found
    }
    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'latticed-hosts-'))
      network = await createHostNetwork(count)
    })
    afterAll(async () => {
      await Promise.all([...running].map((daemon) => daemon.end('SIGKILL')))
      await network?.remove()
      await rm(root, { recursive: true, force: true })
    })
    body({
      host,
      start: async (number, ...flags) => {
        const dataDir = join(root, `node-${number}`)
        const daemon = await startDaemonOn(host(number), dataDir, ['--name', `node-${number}`, ...flags])
        running.add(daemon)
        return daemon
      },
      kill: async (daemon) => {
        await daemon.end('SIGKILL')
        running.delete(daemon)
      },
    })
  })
}

export async function put(daemon: DaemonProcess, storeId: StoreId, key: string): Promise<void> {
  await keyValue(daemon, storeId).put({ key: utf8Encode(key), value: utf8Encode('x') })
}

/** Resolves once the daemon has all these keys. Nothing is asked to be synchronised. */
export async function sees(daemon: DaemonProcess, storeId: StoreId, keys: readonly string[]): Promise<void> {
  const missing = new Set(keys)
  if (missing.size === 0) return
  const stop = new AbortController()
  const events = keyValue(daemon, storeId).watch({ snapshot: true }, stop.signal)
  for await (const { event } of events) {
    assert(event.case !== 'lagged', 'a watcher that reads does not lag')
    if (event.case !== 'put') continue
    missing.delete(utf8Decode(event.value.key) ?? '')
    if (missing.size === 0) break
  }
  stop.abort()
}
