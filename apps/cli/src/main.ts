/**
 * One run of `lattice`: from the words of the shell to an exit code.
 *
 * @module
 */
import { EXIT } from '@lattice/api/client'
import { CommanderError, type Command } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { askTerminal } from './ask-terminal.ts'
import type { CommandContext } from './command-context.ts'
import { CommandFailed, Interrupted, OutputClosed } from './errors.ts'
import { type GlobalOptions, locateNode, selectedStore } from './globals.ts'
import { type CliIo, type OutputStream, processIo } from './io.ts'
import { createOutput, writeText } from './output.ts'
import { runProgram } from './program.ts'
import { createStyle, type Style, wantsColour } from './render/style.ts'
import { historyPath } from './repl/history-file.ts'
import { runRepl } from './repl/run-repl.ts'
import { reportError } from './report-error.ts'
import { createSession, openBackend, type Session } from './session.ts'
import { selectStore } from './store-selection.ts'

/** Runs the command line of this process; resolves with its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runCli(argv, processIo())
}

/** Runs one command line. Resolves with the exit code, once everything it opened is closed. */
export async function runCli(
  argv: readonly string[],
  io: CliIo,
  connect: typeof openBackend = openBackend,
): Promise<number> {
  const ending = new AbortController()
  const undo = io.onInterrupt((exitCode) => ending.abort(new Interrupted(exitCode)))
  let options: GlobalOptions = { color: true, json: hasJsonFlag(argv) }
  const session = createSession(() => connect(locateNode(options, io.env)))
  const texts: string[] = []
  const complaints: string[] = []
  let replExit: number = EXIT.ok
  const openRepl = async (chosen: GlobalOptions): Promise<void> => {
    options = chosen
    replExit = await openReplOn(io, { session, options, signal: ending.signal })
  }
  try {
    if (argv[0] === 'daemon') return await runDaemon(argv.slice(1))
    await runProgram(argv, {
      mode: 'shell',
      version: packageJson.version,
      dataDir: (chosen) => locateNode(chosen, io.env).dataDir,
      write: (text) => texts.push(text),
      writeError: (text) => options.json !== true && complaints.push(text),
      contextFor: (chosen) => {
        options = chosen
        return createContext(io, { session, options, ending })
      },
      openRepl,
      withoutCommand: async (program, chosen) => {
        if (io.stdin.isTTY === true && io.stdout.isTTY === true) return openRepl(chosen)
        throw new HelpInstead(program)
      },
    })
    return replExit
  } catch (error) {
    if (error instanceof HelpInstead) {
      await writeText(io.stderr, error.text)
      return EXIT.usage
    }
    return await reportError(reasonOf(error, ending.signal), {
      stderr: io.stderr,
      json: options.json ?? false,
      style: errorStyle(io, options),
    })
  } finally {
    await writeText(io.stdout, texts.join(''))
    await writeText(io.stderr, complaints.join(''))
    undo()
    await session.close()
  }
}

interface ContextParts {
  readonly session: Session
  readonly options: GlobalOptions
  readonly ending: AbortController
}

function createContext(io: CliIo, { session, options, ending }: ContextParts): CommandContext {
  const { signal } = ending
  const style = styleOf(io, options)
  return {
    out: createOutput({
      stdout: io.stdout,
      stderr: io.stderr,
      json: options.json ?? false,
      full: options.verbose ?? false,
      style,
      colour: hasColour(io, io.stderr, options),
      onClosed: () => ending.abort(new OutputClosed()),
    }),
    clock: io.clock,
    stdin: io.stdin,
    signal,
    ask: askTerminal({ input: io.stdin, output: io.stderr, signal }),
    backend: session.backend,
    store: async (reference) =>
      selectStore(await session.backend(), reference ?? selectedStore(options, io.env), signal),
    storeInterface: (store) => session.storeInterface(store, signal),
    repl: undefined,
  }
}

interface ReplParts {
  readonly session: Session
  readonly options: GlobalOptions
  readonly signal: AbortSignal
}

async function openReplOn(io: CliIo, { session, options, signal }: ReplParts): Promise<number> {
  const { dataDir } = locateNode(options, io.env)
  return runRepl({
    backend: await session.backend(),
    input: io.stdin,
    output: io.stdout,
    errors: io.stderr,
    store: selectedStore(options, io.env),
    historyFile: historyPath(dataDir),
    json: options.json ?? false,
    colour: options.color,
    env: io.env,
    clock: io.clock,
    signal,
  })
}

/** `latticed` has its own options and signals: its words are handed on as they are. */
async function runDaemon(argv: readonly string[]): Promise<number> {
  const daemon = await import('@lattice/daemon')
  return daemon.main(argv)
}

/** No command and no terminal to ask at. */
class HelpInstead extends Error {
  readonly text: string

  constructor(program: Command) {
    super('no command was given')
    this.text = program.helpInformation()
  }
}

/** Whatever was going on when the end was asked for, the end is the reason. */
function reasonOf(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof CommandFailed || error instanceof CommanderError) return error
  return signal.aborted ? signal.reason : error
}

/** The form of an error is decided even when the words do not parse. */
function hasJsonFlag(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json')
}

function styleOf(io: CliIo, options: GlobalOptions): Style {
  return createStyle({ colour: hasColour(io, io.stdout, options) })
}

function errorStyle(io: CliIo, options: GlobalOptions): Style {
  return createStyle({ colour: hasColour(io, io.stderr, options) })
}

function hasColour(io: CliIo, stream: OutputStream, options: GlobalOptions): boolean {
  return wantsColour({ isTerminal: stream.isTTY === true }, io.env, options.color)
}
