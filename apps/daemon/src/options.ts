/**
 * What `latticed` may be told, by flags first and the environment second.
 *
 * @module
 */
import { defaultDataDir, LOG_LEVELS, type LogLevel, parseBind } from '@lattice/runtime'
import { Command, InvalidArgumentError, Option } from 'commander'

export interface DaemonOptions {
  readonly dataDir: string
  /** Path of the API socket; in the data directory unless named. */
  readonly socket: string | undefined
  readonly name: string | undefined
  /** No network at all: reads and writes stay local until a start without it. */
  readonly offline: boolean
  /** May relays help peers that cannot reach this node directly? */
  readonly relay: boolean
  /** Is this node announced, and are its peers looked for, on the local network? */
  readonly lan: boolean
  /** Address and port to listen on for peers, such as `127.0.0.1:0`. */
  readonly bind: string | undefined
  /** False: peers are reached by QUIC alone. */
  readonly tls: boolean
  /** Where TLS listens, when that is not as `bind` says. */
  readonly tlsBind: string | undefined
  readonly logLevel: LogLevel
  /** Are logs read through in the background? */
  readonly scrub: boolean
}

/** The command, whose action is `run`. Its result is the exit code. */
export function createCommand(
  env: NodeJS.ProcessEnv,
  version: string,
  run: (options: DaemonOptions) => Promise<void>,
): Command {
  return new Command('latticed')
    .description('Runs a Lattice node and serves its API on a Unix socket.')
    .version(version)
    .addOption(
      new Option('--data-dir <dir>', 'where the node keeps its identity and stores')
        .env('LATTICE_DATA_DIR')
        .default(defaultDataDir(env)),
    )
    .option('--socket <path>', 'API socket (default: lattice.sock in the data directory)')
    .option('--name <name>', 'what this node calls itself; kept for later starts')
    .option('--offline', 'no network, whatever else is said: work locally')
    .option('--no-relay', 'reach peers directly or not at all')
    .option('--no-lan', 'do not announce this node or look for peers on the local network')
    .option(
      '--bind <address:port>',
      'listen for peers here, UDP and TCP (default: every interface, a free port)',
      readBind,
    )
    .addOption(
      new Option('--tls-bind <address:port>', 'listen for peers by TLS here (default: as --bind says)')
        .argParser(readBind)
        .conflicts('tls'),
    )
    .option('--no-tls', 'reach peers by QUIC alone, without the direct path over TCP')
    .option('--no-scrub', 'do not look for damage in the background')
    .addOption(
      new Option('--log-level <level>', 'what to log on stderr').choices(LOG_LEVELS).env('LATTICE_LOG').default('warn'),
    )
    .action(({ offline = false, ...flags }: Partial<DaemonOptions> & Omit<DaemonOptions, 'offline'>) =>
      run({ ...flags, offline }),
    )
}

function readBind(text: string): string {
  if (parseBind(text) === undefined) {
    throw new InvalidArgumentError('give an IP address and a port, such as 127.0.0.1:0 or [::1]:4433')
  }
  return text
}
