/**
 * Options that every command takes, and what the environment says where they
 * are absent.
 *
 * @module
 */
import { join } from 'node:path'
import { defaultDataDir, SOCKET_NAME } from '@lattice/runtime/data-dir-default'
import { type Command, Option } from 'commander'
import { UsageError } from './errors.ts'

export interface GlobalOptions {
  readonly dataDir?: string
  readonly socket?: string
  readonly embedded?: boolean
  readonly offline?: boolean
  /** False: no relays. Absent in the REPL, where the node is chosen already. */
  readonly relay?: boolean
  readonly store?: string
  readonly json?: boolean
  readonly color: boolean
  readonly verbose?: boolean
}

/** By what a node reaches its peers: by no socket of the network at all, directly, or also by relays. */
export type Reach = 'nobody' | 'direct' | 'relays'

/** Where the node of a command is. */
export interface NodeLocation {
  readonly dataDir: string
  readonly socket: string
  /** The node runs inside this process, and reaches its peers so. Undefined: a daemon is asked. */
  readonly embedded: Reach | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/** Adds the options; inside the REPL the node is chosen already. */
export function addGlobalOptions(program: Command, mode: 'shell' | 'repl'): void {
  if (mode === 'shell') {
    program
      .addOption(new Option('--data-dir <dir>', 'data directory of the node (LATTICE_DATA_DIR)').conflicts('socket'))
      .addOption(new Option('--socket <path>', "socket of the node's API"))
      .addOption(new Option('--embedded', 'run the node inside this process').conflicts('socket'))
      .addOption(new Option('--offline', 'with --embedded: no network, work locally'))
      .addOption(new Option('--no-relay', 'with --embedded: reach peers directly or not at all'))
  }
  program
    .option('--store <store>', 'id, 4 or more digits of it, name or path of a store (LATTICE_STORE)')
    .option('--json', 'answer with one JSON document, or one per line for streams')
    .option('--no-color', 'no colours (NO_COLOR)')
    .option('-v, --verbose', 'ids in full, and more detail')
}

/** Throws `UsageError` for what a daemon that runs already cannot be told. */
export function locateNode(options: GlobalOptions, env: Environment): NodeLocation {
  const { offline = false, relay = true } = options
  if (options.embedded !== true && (offline || !relay)) {
    const option = offline ? '--offline' : '--no-relay'
    throw new UsageError(`${option} goes with --embedded: a daemon is given it as it starts`)
  }
  const dataDir = options.dataDir ?? defaultDataDir(env)
  const socket = options.socket ?? join(dataDir, SOCKET_NAME)
  return { dataDir, socket, embedded: options.embedded === true ? reach(offline, relay) : undefined }
}

function reach(offline: boolean, relay: boolean): Reach {
  if (offline) return 'nobody'
  return relay ? 'relays' : 'direct'
}

/** The store that options or environment name. */
export function selectedStore(options: GlobalOptions, env: Environment): string | undefined {
  const fromEnvironment = env['LATTICE_STORE']
  return options.store ?? (fromEnvironment === '' ? undefined : fromEnvironment)
}
