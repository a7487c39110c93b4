/**
 * How a runtime reaches its peers: directly by TLS where that works, by QUIC everywhere.
 *
 * Both are always combined, also when only one is there: the ends of a connection say to each other which paths are its own.
 *
 * @module
 */
import { type KeyPair, type Logger, type Random, type Scheduler, type Seed, SEED_BYTES, toSeed } from '@lattice/model'
import { createCombinedTransport } from '@lattice/net'
import { IrohUnavailable, openIrohTransport } from '@lattice/net-iroh'
import { openTlsTransport } from '@lattice/net-tls'
import { BindFailed, type Transport } from '@lattice/net-types'
import { openOnLastPort, parseBind } from './listen-port.ts'

export interface TransportDeps {
  /** The node's; exists. */
  readonly dataDir: string
  readonly keyPair: KeyPair
  readonly scheduler: Scheduler
  readonly random: Random
  readonly logger: Logger
}

/** Opens a transport for a node's key. The node closes it. */
export type TransportFactory = (deps: TransportDeps) => Promise<Transport>

export interface PeerTransportOptions {
  /** `off`: peers are reached directly or not at all. */
  readonly relay: 'off' | 'default'
  /** `ip:port` for both, UDP and TCP; port 0 takes those of last time or free ones. Every interface when absent. */
  readonly bind?: string | undefined
  /** `off`: QUIC alone. Else where TLS listens, when that is not as `bind` says. */
  readonly tls?: 'off' | { readonly bind?: string | undefined } | undefined
}

/** TLS and QUIC as one, TLS preferred. Rejects with `BindFailed`. */
export function peerTransport({ relay, bind, tls }: PeerTransportOptions): TransportFactory {
  const direct = tls === 'off' ? [] : [tlsPaths({ bind: tls?.bind ?? bind, isOwn: tls?.bind !== undefined })]
  return combine([...direct, irohPaths({ relay, bind })])
}

/** Several transports as one, the preferred first. */
export function combine(factories: readonly TransportFactory[]): TransportFactory {
  return async (deps) => {
    const transports: Transport[] = []
    try {
      for (const factory of factories) {
        const opened = await openIfThere(factory, deps)
        if (opened !== undefined) transports.push(opened)
        else if (factories.length === 1) throw new IrohUnavailable(new Error('there is no other transport'))
      }
      const { scheduler, random, logger } = deps
      const onError = (error: unknown): void => logger.warn('transport.error', { error })
      return createCombinedTransport({ transports, scheduler, random, onError })
    } catch (error) {
      await Promise.all(transports.map((transport) => transport.close()))
      throw error
    }
  }
}

/** Undefined, and a word in the log, where the platform lacks what it is made of. */
async function openIfThere(factory: TransportFactory, deps: TransportDeps): Promise<Transport | undefined> {
  try {
    return await factory(deps)
  } catch (error) {
    if (!(error instanceof IrohUnavailable)) throw error
    deps.logger.warn('transport.unavailable', {
      error,
      consequence: 'only peers that are directly reachable are reached',
    })
    return undefined
  }
}

function irohPaths({ relay, bind }: Pick<PeerTransportOptions, 'relay' | 'bind'>): TransportFactory {
  return (deps) => {
    const { scheduler, logger, dataDir } = deps
    return openOnLastPort({ dataDir, logger, name: 'listen-port', anyIp: '0.0.0.0', bind }, (bindAddress) =>
      openIrohTransport({
        secretSeed: seedOf(deps),
        relay,
        scheduler,
        onError: (error) => logger.warn('transport.error', { error }),
        ...(bindAddress === undefined ? {} : { bindAddress }),
      }),
    )
  }
}

/** `isOwn`: the address was named for TLS; else one that is taken is given up for a free port. */
function tlsPaths({ bind, isOwn }: { readonly bind: string | undefined; readonly isOwn: boolean }): TransportFactory {
  return async (deps) => {
    const { scheduler, logger, dataDir } = deps
    const open = (bindAddress: string | undefined): Promise<Transport> =>
      openTlsTransport({
        secretSeed: seedOf(deps),
        scheduler,
        onError: (error) => logger.warn('transport.error', { error }),
        ...(bindAddress === undefined ? {} : { bindAddress }),
      })
    const last = { dataDir, logger, name: 'listen-port-tls', anyIp: '[::]' }
    try {
      return await openOnLastPort({ ...last, bind }, open)
    } catch (error) {
      const asked = bind === undefined ? undefined : parseBind(bind)
      if (isOwn || asked === undefined || asked.port === 0 || !(error instanceof BindFailed)) throw error
      logger.warn('transport.port_taken', { bind, consequence: 'TLS listens on another port' })
      return openOnLastPort({ ...last, bind: `${asked.ip}:0` }, open)
    }
  }
}

function seedOf({ keyPair }: TransportDeps): Seed {
  // libsodium's secret key is the seed followed by the public key.
  return toSeed(keyPair.secretKey.subarray(0, SEED_BYTES))
}
