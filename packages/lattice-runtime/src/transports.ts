/**
 * The transports a runtime can be given, each behind one call.
 *
 * @module
 */
import { type KeyPair, type Logger, type Scheduler, SEED_BYTES, toSeed } from '@lattice/model'
import { BindFailed, openIrohTransport } from '@lattice/net-iroh'
import type { Transport } from '@lattice/net-types'
import { loadPort, parseBind, portOf, savePort } from './listen-port.ts'

export interface TransportDeps {
  /** The node's; exists. */
  readonly dataDir: string
  readonly keyPair: KeyPair
  readonly scheduler: Scheduler
  readonly logger: Logger
}

/** Opens a transport for a node's key. The node closes it. */
export type TransportFactory = (deps: TransportDeps) => Promise<Transport>

export interface IrohOptions {
  /** `off`: peers are reached directly or not at all. */
  readonly relay: 'off' | 'default'
  /** `ip:port`; port 0 takes the one of last time or a free one. Every interface when absent. */
  readonly bind?: string | undefined
}

/** QUIC by iroh, on the port of last time where none is asked for. */
export function irohTransport(options: IrohOptions): TransportFactory {
  return async (deps) => {
    const { dataDir, logger } = deps
    const bind = parseBind(options.bind)
    // A fixed port, or an address the transport is to refuse by name.
    if (bind === undefined || bind.port !== 0) return openIroh(deps, options)
    const transport = await openOnLastPort(deps, { ...options, ip: bind.ip })
    const port = portOf(transport.addresses(), bind.ip)
    if (port !== undefined) {
      await savePort(dataDir, port).catch((error: unknown) => logger.warn('transport.port_not_kept', { error }))
    }
    return transport
  }
}

async function openOnLastPort(
  deps: TransportDeps,
  { ip, ...options }: IrohOptions & { readonly ip: string },
): Promise<Transport> {
  const port = await loadPort(deps.dataDir)
  if (port === undefined) return openIroh(deps, options)
  try {
    return await openIroh(deps, { ...options, bind: `${ip}:${port}` })
  } catch (error) {
    if (!(error instanceof BindFailed)) throw error
    deps.logger.info('transport.port_taken', { port })
    return openIroh(deps, options)
  }
}

function openIroh({ keyPair, scheduler, logger }: TransportDeps, { relay, bind }: IrohOptions): Promise<Transport> {
  return openIrohTransport({
    // libsodium's secret key is the seed followed by the public key.
    secretSeed: toSeed(keyPair.secretKey.subarray(0, SEED_BYTES)),
    relay,
    scheduler,
    onError: (error) => logger.warn('transport.error', { error }),
    ...(bind === undefined ? {} : { bindAddress: bind }),
  })
}
