/**
 * `--embedded`: the node runs inside this process, and is closed with it.
 *
 * Loaded on demand, for a client of a daemon has no need of a node's libraries.
 *
 * @module
 */
import type { LatticeBackend } from '@lattice/api/client'
import type { Reach } from './globals.ts'

/**
 * Opens the node of `dataDir` and a backend on it; closing the backend closes the node. It is neither announced nor looks for
 * peers on the local network: few commands last as long as that takes.
 */
export async function openEmbeddedBackend(dataDir: string, reach: Reach): Promise<LatticeBackend> {
  const { coreOpeners, createRuntimeBuilder, peerTransport } = await import('@lattice/runtime')
  let builder = createRuntimeBuilder({ dataDir }).withOpeners(coreOpeners())
  if (reach !== 'nobody') {
    builder = builder.withTransport(peerTransport({ relay: reach === 'relays' ? 'default' : 'off', bind: undefined }))
  }
  const runtime = await builder.build()
  return { ...runtime.backend, close: runtime.close, [Symbol.asyncDispose]: runtime.close }
}
