/**
 * The command tree: one definition for the shell and for the REPL.
 *
 * A tree is built for one command line and thrown away, so that no option of
 * one command can reach the next.
 *
 * @module
 */
import { Command } from 'commander'
import type { CommandContext } from './command-context.ts'
import { addBackupCommand } from './commands/backup.ts'
import { addDaemonCommand } from './commands/daemon.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { appendToHelp, showExamples } from './commands/examples.ts'
import { topicList } from './commands/help-topics.ts'
import { addHelpCommand } from './commands/help.ts'
import { callMethod } from './commands/method.ts'
import { addNodeCommands } from './commands/node.ts'
import { addPeerCommands } from './commands/peer.ts'
import { addReplOnlyCommands } from './commands/repl-only.ts'
import { addRestoreCommand } from './commands/restore.ts'
import { addRpcCommands } from './commands/rpc.ts'
import { addStoreCommands } from './commands/store.ts'
import { addWhyCommand } from './commands/why.ts'
import { addGlobalOptions, type GlobalOptions } from './globals.ts'
import type { Bind } from './run-action.ts'
import { normalizeArgv } from './normalize-argv.ts'

export interface ProgramOptions {
  readonly mode: 'shell' | 'repl'
  readonly version: string
  /** Called once, when the options are known. */
  readonly contextFor: (options: GlobalOptions) => CommandContext
  /** Where the node of a command lives; asked in the shell alone. */
  readonly dataDir: (options: GlobalOptions) => string
  /** What help is printed with. */
  readonly write: (text: string) => void
  /** Where help goes that was not asked for: a command is missing. */
  readonly writeError: (text: string) => void
  /** Opens the REPL; in a script from the words of stdin. */
  readonly openRepl: (options: GlobalOptions) => Promise<void>
  /** No command was given. */
  readonly withoutCommand: (program: Command, options: GlobalOptions) => Promise<void>
}

/** Parses `argv` and runs the command it names. Rejects with whatever the command fails with. */
export async function runProgram(argv: readonly string[], options: ProgramOptions): Promise<void> {
  const program = createProgram(options)
  await program.parseAsync([...normalizeArgv(program, argv)], { from: 'user' })
}

/** The command tree. */
export function createProgram(options: ProgramOptions): Command {
  const { mode, version } = options
  const program = new Command('lattice')
  configure(program, options)
  program
    .description('Works with a Lattice node: stores, peers, and the data in them.')
    .usage('[options] [COMMAND …]')
    .argument('[method]', 'a method of the selected store, such as put, get, list or watch')
    .argument('[words...]', 'its fields in order, or as field=value')
  addGlobalOptions(program, mode)
  if (mode === 'shell') program.version(version)

  const bind: Bind =
    (action) =>
    (...parameters) =>
      action(options.contextFor(program.opts()), ...parameters)
  addNodeCommands(program, bind)
  addStoreCommands(program, bind)
  addPeerCommands(program, bind)
  addWhyCommand(program, bind)
  addDoctorCommand(program, bind)
  addRpcCommands(program, bind)
  addBackupCommand(program, bind)
  if (mode === 'repl') addReplOnlyCommands(program, bind)
  else {
    addRestoreCommand(program, bind, () => options.dataDir(program.opts()))
    addDaemonCommand(program)
    program
      .command('repl')
      .description('read commands from the terminal, or line by line from stdin')
      .action(() => options.openRepl(program.opts()))
  }
  addHelpCommand(program, bind)
  appendToHelp(program, topicList())
  for (const command of descendants(program)) {
    configure(command, options)
    showExamples(command)
  }

  const call = bind((context, method: string, words: readonly string[]) => callMethod(context, method, words))
  program.action(async (method: string | undefined, words: string[]) => {
    if (method === undefined) await options.withoutCommand(program, program.opts())
    else await call(method, words)
  })
  return program
}

function configure(command: Command, { write, writeError }: ProgramOptions): void {
  command
    .exitOverride()
    .helpCommand(false)
    .showSuggestionAfterError(true)
    // Errors are reported in one place, for text and JSON alike.
    .configureOutput({ writeOut: write, writeErr: writeError, outputError: () => undefined })
}

function descendants(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)])
}
