/**
 * The transports a runtime can be given, each behind one call.
 *
 * @module
 */
import { type KeyPair, type Logger, type Scheduler, SEED_BYTES, toSeed } from '@lattice/model'
import { openIrohTransport } from '@lattice/net-iroh'
import type { Transport } from '@lattice/net-types'

export interface TransportDeps {
  readonly keyPair: KeyPair
  readonly scheduler: Scheduler
  readonly logger: Logger
}

/** Opens a transport for a node's key. The node closes it. */
export type TransportFactory = (deps: TransportDeps) => Promise<Transport>

export interface IrohOptions {
  /** `off`: peers are reached directly or not at all. */
  readonly relay: 'off' | 'default'
  /** `ip:port`; port 0 takes a free one. Every interface and a free port when absent. */
  readonly bind?: string | undefined
}

/** QUIC by iroh. */
export function irohTransport({ relay, bind }: IrohOptions): TransportFactory {
  return ({ keyPair, scheduler, logger }) =>
    openIrohTransport({
      // libsodium's secret key is the seed followed by the public key.
      secretSeed: toSeed(keyPair.secretKey.subarray(0, SEED_BYTES)),
      relay,
      scheduler,
      onError: (error) => logger.warn('transport.error', { error }),
      ...(bind === undefined ? {} : { bindAddress: bind }),
    })
}
