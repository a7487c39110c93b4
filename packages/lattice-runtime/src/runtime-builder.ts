/**
 * Says step by step what a runtime is made of. Immutable: each step answers a
 * new builder, so that a half-configured one can be shared.
 *
 * @module
 */
import type { Clock, Logger, Random, Scheduler, StoreType } from '@lattice/model'
import type { DiscoveryFactory } from './discoveries.ts'
import type { Opener } from './openers.ts'
import { openRuntime, type RpcOptions, type Runtime, type RuntimeOptions } from './runtime.ts'
import type { TransportFactory } from './transports.ts'

export interface RuntimeBuilder {
  /** The name the node takes when it has none, or a new one. */
  readonly withName: (name: string) => RuntimeBuilder
  /** Stores of `storeType` can be opened; a later opener of the same type replaces an earlier one. */
  readonly withOpener: (storeType: StoreType, opener: Opener) => RuntimeBuilder
  readonly withOpeners: (openers: ReadonlyMap<StoreType, Opener>) => RuntimeBuilder
  /** Without a transport the node is offline. */
  readonly withTransport: (transport: TransportFactory) => RuntimeBuilder
  /** Finds peers beyond where they are remembered, and has this node found. */
  readonly withDiscovery: (discovery: DiscoveryFactory) => RuntimeBuilder
  /** Serves the API on a Unix socket. */
  readonly withRpc: (options?: RpcOptions) => RuntimeBuilder
  readonly withLogger: (logger: Logger) => RuntimeBuilder
  /** Logs are not read through in the background: for a runtime that is soon closed. */
  readonly withoutScrub: () => RuntimeBuilder
  /** Replaces the machine's clock, dice and timers. */
  readonly withPorts: (ports: {
    readonly clock?: Clock
    readonly random?: Random
    readonly scheduler?: Scheduler
  }) => RuntimeBuilder
  /** Opens it. */
  readonly build: () => Promise<Runtime>
}

/** Starts with an offline node without openers. */
export function createRuntimeBuilder({ dataDir }: { readonly dataDir: string }): RuntimeBuilder {
  return builderOf({ dataDir, openers: new Map() })
}

function builderOf(options: RuntimeOptions): RuntimeBuilder {
  const withOpeners: RuntimeBuilder['withOpeners'] = (openers) =>
    builderOf({ ...options, openers: new Map([...options.openers, ...openers]) })
  return {
    withName: (name) => builderOf({ ...options, name }),
    withOpener: (storeType, opener) => withOpeners(new Map([[storeType, opener]])),
    withOpeners,
    withTransport: (transport) => builderOf({ ...options, transport }),
    withDiscovery: (discovery) => builderOf({ ...options, discovery }),
    withRpc: (rpc = {}) => builderOf({ ...options, rpc }),
    withLogger: (logger) => builderOf({ ...options, logger }),
    withoutScrub: () => builderOf({ ...options, scrub: false }),
    withPorts: (ports) => builderOf({ ...options, ...ports }),
    build: () => openRuntime(options),
  }
}
