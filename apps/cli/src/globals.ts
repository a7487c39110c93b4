/**
 * Options that every command takes, and what the environment says where they
 * are absent.
 *
 * @module
 */
import { join } from 'node:path'
import { defaultDataDir, SOCKET_NAME } from '@lattice/runtime/data-dir-default'
import { type Command, Option } from 'commander'

export interface GlobalOptions {
  readonly dataDir?: string
  readonly socket?: string
  readonly embedded?: boolean
  readonly store?: string
  readonly json?: boolean
  readonly color: boolean
  readonly verbose?: boolean
}

/** Where the node of a command is. */
export interface NodeLocation {
  readonly dataDir: string
  readonly socket: string
  readonly embedded: boolean
}

type Environment = Readonly<Record<string, string | undefined>>

/** Adds the options; inside the REPL the node is chosen already. */
export function addGlobalOptions(program: Command, mode: 'shell' | 'repl'): void {
  if (mode === 'shell') {
    program
      .addOption(new Option('--data-dir <dir>', 'data directory of the node (LATTICE_DATA_DIR)').conflicts('socket'))
      .addOption(new Option('--socket <path>', "socket of the node's API"))
      .addOption(new Option('--embedded', 'run the node inside this process').conflicts('socket'))
  }
  program
    .option('--store <store>', 'id, 4 or more digits of it, name or path of a store (LATTICE_STORE)')
    .option('--json', 'answer with one JSON document, or one per line for streams')
    .option('--no-color', 'no colours (NO_COLOR)')
    .option('-v, --verbose', 'ids in full, and more detail')
}

export function locateNode(options: GlobalOptions, env: Environment): NodeLocation {
  const dataDir = options.dataDir ?? defaultDataDir(env)
  return { dataDir, socket: options.socket ?? join(dataDir, SOCKET_NAME), embedded: options.embedded ?? false }
}

/** The store that options or environment name. */
export function selectedStore(options: GlobalOptions, env: Environment): string | undefined {
  const fromEnvironment = env['LATTICE_STORE']
  return options.store ?? (fromEnvironment === '' ? undefined : fromEnvironment)
}
