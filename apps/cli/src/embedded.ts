/**
 * `--embedded`: the node runs inside this process, and is closed with it.
 *
 * Loaded on demand, for a client of a daemon has no need of a node's libraries.
 *
 * @module
 */
import type { LatticeBackend } from '@lattice/api/client'

/** Opens the node of `dataDir` and a backend on it; closing the backend closes the node. */
export async function openEmbeddedBackend(dataDir: string): Promise<LatticeBackend> {
  const { coreOpeners, createRuntimeBuilder, peerTransport } = await import('@lattice/runtime')
  const runtime = await createRuntimeBuilder({ dataDir })
    .withOpeners(coreOpeners())
    .withTransport(peerTransport({ relay: 'default', bind: undefined }))
    .build()
  return { ...runtime.backend, close: runtime.close, [Symbol.asyncDispose]: runtime.close }
}
