/**
 * One line of the REPL as one command.
 *
 * @module
 */
import { EXIT } from '@lattice/api/client'
import type { CommandContext, ReplControls } from '../command-context.ts'
import { UsageError } from '../errors.ts'
import type { GlobalOptions } from '../globals.ts'
import { createOutput, writeText } from '../output.ts'
import { createProgram, type ProgramOptions, runProgram } from '../program.ts'
import { PLAIN_STYLE } from '../render/style.ts'
import { selectStore } from '../store-selection.ts'
import { tokenize } from './tokenize.ts'
import type { ReplState } from './repl-state.ts'

/** Runs the line; resolves with its exit code once it is done and reported. */
export async function runLine(line: string, state: ReplState): Promise<number> {
  if (line.trim() === '' || line.trimStart().startsWith('#')) return EXIT.ok
  try {
    const words = tokenize(line)
    if (!words.ok) throw new UsageError(words.error, { hint: 'quotes and backslashes work as in a shell' })
    // A line copied from the documentation names the program too.
    const argv = words.value[0] === 'lattice' ? words.value.slice(1) : words.value
    if (argv.length === 0) return EXIT.ok
    await state.foreground.run((signal) => runProgram(argv, programOptions(state, signal)))
    return EXIT.ok
  } catch (error) {
    return await state.report(error)
  }
}

/** The command tree as the REPL has it; for completion. */
export function replProgram(state: ReplState): ReturnType<typeof createProgram> {
  return createProgram(programOptions(state, new AbortController().signal))
}

function programOptions(state: ReplState, signal: AbortSignal): ProgramOptions {
  return {
    mode: 'repl',
    version: '',
    dataDir: () => '',
    write: (text) => {
      state.screen.stream.write(text)
    },
    writeError: (text) => {
      state.options.errors.write(text)
    },
    contextFor: (options) => createContext(state, options, signal),
    openRepl: () => Promise.resolve(),
    withoutCommand: () => Promise.resolve(),
  }
}

function createContext(state: ReplState, options: GlobalOptions, signal: AbortSignal): CommandContext {
  const { session, style, clock, input, errors } = state.options
  return {
    out: createOutput({
      stdout: state.screen.stream,
      stderr: errors,
      json: options.json ?? state.options.json ?? false,
      full: options.verbose ?? false,
      style: options.color ? style : PLAIN_STYLE,
      colour: options.color && state.options.hasColour,
      onClosed: state.quit,
    }),
    clock,
    stdin: input,
    signal,
    ask: state.isInteractive ? (question) => state.ask(question, signal) : undefined,
    backend: session.backend,
    store: async (reference) => {
      const wanted = reference ?? options.store
      const current = state.current()
      if (wanted === undefined && current !== undefined) return current
      return selectStore(await session.backend(), wanted, signal)
    },
    storeInterface: (store) => session.storeInterface(store, signal),
    repl: controlsOf(state),
  }
}

function controlsOf(state: ReplState): ReplControls {
  const { subscriptions } = state
  return {
    use: state.use,
    changed: state.changed,
    removed: state.removed,
    follow: (label, run) =>
      subscriptions.start(label, async (ending) => {
        await run(ending)
        if (!ending.aborted) await writeText(state.screen.stream, `${label} ended\n`)
      }),
    subscriptions: subscriptions.list,
    unfollow: subscriptions.end,
    quit: state.quit,
  }
}
