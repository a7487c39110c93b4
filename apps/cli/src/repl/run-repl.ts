/**
 * The REPL: the command tree of the shell on a connection that stays open.
 *
 * On a terminal it edits, completes and remembers lines; elsewhere it reads
 * commands line by line, as a script. A command that fails is reported and the
 * next one is read.
 *
 * @module
 */
import { createInterface, type Interface } from 'node:readline'
import { EXIT } from '@lattice/api/client'
import { systemClock } from '../io.ts'
import { createStyle, wantsColour } from '../render/style.ts'
import { borrowSession } from '../session.ts'
import { createCompleter } from './completer.ts'
import { isWorthKeeping, MAX_HISTORY_LINES, readHistory, writeHistory } from './history-file.ts'
import type { ReplOptions } from './repl-options.ts'
import { openReplState, type ReplState } from './repl-state.ts'
import { runLine } from './run-line.ts'
import { createLineSource, type LineSource } from './line-source.ts'
import { createScreen } from './screen.ts'

/**
 * Runs until `quit`, the end of the input, or abort. Resolves with the exit
 * code: 0 on a terminal, in a script that of the first command that failed,
 * or at once 4 when no daemon answers any more.
 */
export async function runRepl(options: ReplOptions): Promise<number> {
  const { input, output, historyFile, env = {}, clock = systemClock } = options
  const isInteractive = input.isTTY === true && output.isTTY === true
  let history = isInteractive && historyFile !== undefined ? await readHistory(historyFile) : []
  const completer = createCompleter()
  const terminal = createInterface({
    input,
    ...(isInteractive ? { output, completer: completer.complete } : {}),
    terminal: isInteractive,
    history,
    historySize: MAX_HISTORY_LINES,
    removeHistoryDuplicates: true,
  })
  // Taken before anything is awaited: a script may be at its end by then.
  const lines = createLineSource(terminal[Symbol.asyncIterator]())
  const screen = createScreen(output, isInteractive ? terminal : undefined)
  const hasColour = wantsColour({ isTerminal: isInteractive }, env, options.colour ?? true)
  const style = createStyle({ colour: hasColour })
  const errors = isInteractive ? screen.stream : (options.errors ?? output)
  const state = openReplState({
    ...options,
    env,
    clock,
    style,
    screen,
    errors,
    isInteractive,
    session: borrowSession(options.backend),
    lines,
    hasColour,
  })
  completer.attach(state)
  terminal.on('history', (kept: string[]) => {
    // An answer is no command to come back to. readline lets its listener take the line out.
    if (state.isAsking()) kept.shift()
    history = kept.filter(isWorthKeeping)
  })
  const undo = wireSignals(terminal, state, options.signal)
  try {
    await state.begin(options.store)
    const afterLine = async (): Promise<void> => {
      if (isInteractive && historyFile !== undefined) await writeHistory(historyFile, history)
    }
    const exitCode = await readLines(lines, state, afterLine)
    return isInteractive ? EXIT.ok : exitCode
  } finally {
    undo()
    screen.hidePrompt()
    terminal.close()
    await state.close()
  }
}

async function readLines(lines: LineSource, state: ReplState, afterLine: () => Promise<void>): Promise<number> {
  let firstFailure: number = EXIT.ok
  while (!state.isQuitting()) {
    state.showPrompt()
    const line = await lines.next()
    state.screen.hidePrompt()
    if (line === undefined) {
      if (state.isInteractive) state.options.output.write('\n')
      break
    }
    const exitCode = await runLine(line, state)
    // Without a node every command to come would fail alike. A person may start one again and go on.
    if (exitCode === EXIT.noDaemon && !state.isInteractive) return exitCode
    if (firstFailure === EXIT.ok) firstFailure = exitCode
    await afterLine()
  }
  return firstFailure
}

/**
 * Ctrl-C ends what runs and clears what is typed; abort closes the terminal,
 * which ends the reading. A terminal that goes away has not entered the line
 * that stands there: what nobody confirmed is not run.
 */
function wireSignals(terminal: Interface, state: ReplState, signal: AbortSignal | undefined): () => void {
  const { input, output } = state.options
  const clearTyped = (): void => {
    if (!state.isInteractive) return
    // To the end, then everything before it: the line as readline knows it is empty.
    terminal.write(null, { ctrl: true, name: 'e' })
    terminal.write(null, { ctrl: true, name: 'u' })
  }
  const onInterrupt = (): void => {
    clearTyped()
    if (state.foreground.interrupt()) return
    output.write('\n')
    terminal.prompt()
  }
  const onAbort = (): void => {
    state.foreground.interrupt()
    terminal.close()
  }
  input.prependListener('end', clearTyped)
  terminal.on('SIGINT', onInterrupt)
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted === true) onAbort()
  return () => {
    input.off('end', clearTyped)
    terminal.off('SIGINT', onInterrupt)
    signal?.removeEventListener('abort', onAbort)
  }
}
