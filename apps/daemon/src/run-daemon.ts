/**
 * One daemon from start to clean end. The first signal closes the node, the
 * second ends the process at once: what was acknowledged is durable either way.
 *
 * @module
 */
import { toHex } from '@lattice/model'
import {
  coreOpeners,
  createPinoLogger,
  createRuntimeBuilder,
  lanDiscovery,
  peerTransport,
  type Runtime,
  type RuntimeBuilder,
} from '@lattice/runtime'
import type { DaemonOptions } from './options.ts'

export interface DaemonDeps {
  readonly print: (line: string) => void
  /** Registers what happens on SIGTERM, SIGINT and SIGHUP; returns the undo. */
  readonly onSignal: (handler: () => void) => () => void
  /** Ends the process without further ado. */
  readonly exitNow: (code: number) => void
}

/** 128 + SIGTERM, as a shell reports a process that a signal ended. */
const EXIT_AT_ONCE = 143

/** Resolves once the node is closed after a signal. */
export async function runDaemon(options: DaemonOptions, deps: DaemonDeps): Promise<void> {
  let signals = 0
  let undo: () => void = () => undefined
  const ending = new Promise<void>((resolve) => {
    undo = deps.onSignal(() => {
      signals += 1
      if (signals > 1) deps.exitNow(EXIT_AT_ONCE)
      resolve()
    })
  })
  try {
    await using runtime = await configure(options).build()
    deps.print(`latticed ready: node ${toHex(runtime.node.id)} serves ${socketOf(runtime)}`)
    await ending
    deps.print('latticed stopping')
  } finally {
    undo()
  }
}

function configure(options: DaemonOptions): RuntimeBuilder {
  let builder = createRuntimeBuilder({ dataDir: options.dataDir })
    .withOpeners(coreOpeners())
    .withLogger(createPinoLogger({ level: options.logLevel }))
    .withRpc({ socket: options.socket })
  if (options.name !== undefined) builder = builder.withName(options.name)
  if (!options.scrub) builder = builder.withoutScrub()
  if (!options.offline) {
    const { relay, bind, tls, tlsBind } = options
    const where = { bind, tls: tls ? { bind: tlsBind } : 'off' } as const
    builder = builder.withTransport(peerTransport({ relay: relay ? 'default' : 'off', ...where }))
    if (options.lan) builder = builder.withDiscovery(lanDiscovery(where))
  }
  return builder
}

function socketOf(runtime: Runtime): string {
  return runtime.socket ?? 'nothing'
}
