/**
 * A node that knows counters: the one place that names a network, a disk and an API.
 *
 * @module
 */
import { coreOpeners, createRuntimeBuilder, peerTransport, type Runtime } from '@lattice/runtime'
import { counterStore } from './counter-store.ts'

interface CounterNodeOptions {
  readonly dataDir: string
  readonly name: string
}

export function openCounterNode({ dataDir, name }: CounterNodeOptions): Promise<Runtime> {
  return createRuntimeBuilder({ dataDir })
    .withName(name)
    .withOpeners(coreOpeners())
    .withOpener(counterStore.storeType, () => counterStore)
    .withTransport(peerTransport({ relay: 'off', bind: '127.0.0.1:0' }))
    .withRpc()
    .build()
}
