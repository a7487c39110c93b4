import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { createFakeNode } from '../../test/fake-node.ts'
import { run } from '../../test/fake-process.ts'
import { createProgram, type ProgramOptions, runProgram } from '../program.ts'
import { tokenize } from '../repl/tokenize.ts'
import { commandPath, EXAMPLES } from './examples.ts'
import { HELP_TOPICS } from './help-topics.ts'

const MODES = ['shell', 'repl'] as const

/** A line was understood, down to the action it stands for. */
class Understood extends Error {}

const optionsOf = (mode: ProgramOptions['mode']): ProgramOptions => ({
  mode,
  version: '0',
  dataDir: () => '/data',
  write: () => undefined,
  writeError: () => undefined,
  contextFor: () => {
    throw new Understood()
  },
  openRepl: () => Promise.reject(new Understood()),
  withoutCommand: () => Promise.resolve(),
})

function commandsOf(mode: ProgramOptions['mode']): readonly Command[] {
  const below = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(below)]
  return below(createProgram(optionsOf(mode)))
}

/** Undefined when `line` is a command that would run; else what is wrong with it. */
async function complaintAbout(line: string): Promise<unknown> {
  const words = tokenize(line)
  if (!words.ok) return words.error
  const isShell = words.value[0] === 'lattice'
  const argv = isShell ? words.value.slice(1) : words.value
  // Handed on before the tree reads its words: its options are those of latticed.
  if (argv[0] === 'daemon') return undefined
  try {
    await runProgram(argv, optionsOf(isShell ? 'shell' : 'repl'))
    return 'it names no command'
  } catch (error) {
    return error instanceof Understood ? undefined : error
  }
}

describe.each(MODES)('every command of the %s', (mode) => {
  const commands = commandsOf(mode).map((command) => [commandPath(command), command] as const)

  test.each(commands)('%s says what it is, takes and may be told', (_path, command) => {
    expect(command.description()).not.toBe('')
    for (const argument of command.registeredArguments) {
      expect(`${argument.name()}: ${argument.description}`).toMatch(/: \S/u)
    }
    for (const option of command.options) expect(`${option.flags}: ${option.description}`).toMatch(/: \S/u)
  })

  test('that takes something has an example', () => {
    const without = commands
      .filter(([path, command]) => path !== '' && command.registeredArguments.some(({ required }) => required))
      .filter(([path]) => EXAMPLES[path] === undefined)
    expect(without.map(([path]) => path)).toEqual([])
  })
})

describe('examples', () => {
  test('are of commands that there are', () => {
    const known = new Set(MODES.flatMap((mode) => commandsOf(mode).map(commandPath)))
    expect(Object.keys(EXAMPLES).filter((path) => !known.has(path))).toEqual([])
  })

  const lines = Object.entries(EXAMPLES).flatMap(([path, all]) => all.map((line) => [line, path] as const))

  test.each(lines)('%s is read as a command', async (line, path) => {
    expect(await complaintAbout(line)).toBeUndefined()
    expect(line).toContain(path)
  })

  test('and what is none is not', async () => {
    expect(await complaintAbout('lattice store archive a b')).toMatchObject({ code: 'commander.excessArguments' })
    expect(await complaintAbout('lattice store frob')).toMatchObject({ code: 'commander.unknownCommand' })
    expect(await complaintAbout('lattice peer role nas king')).toMatchObject({ code: 'commander.invalidArgument' })
  })

  test('end the help of a command, however it is asked for', async () => {
    for (const argv of [
      ['help', 'peer', 'invite'],
      ['peer', 'invite', '--help'],
    ]) {
      const { exitCode, stdout } = await run(argv)
      expect(exitCode).toBe(0)
      expect(stdout).toContain('Examples:\n  lattice --store team peer invite\n')
    }
    expect((await run(['help', 'peer', 'invites'])).stdout).not.toContain('Examples:')
  })
})

describe('topics', () => {
  const pages = Object.entries(HELP_TOPICS)

  test.each(pages)('%s is a page that needs no node, and is listed', async (name, { text }) => {
    expect(await run(['help', name])).toEqual({ exitCode: 0, stdout: `${text}\n`, stderr: '' })
    expect(JSON.parse((await run(['--json', 'help', name])).stdout)).toEqual({ help: text })
    for (const argv of [['help'], ['--help']]) expect((await run(argv)).stdout).toContain(`help ${name}`)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(82)
  })

  const lines = pages.flatMap(([, { text }]) => text.match(/^ {2}lattice .*$/gmu) ?? []).map((line) => line.trim())

  test.each(lines)('%s, in a page, is read as a command', async (line) => {
    expect(await complaintAbout(line)).toBeUndefined()
  })

  test('no command is hidden by a topic, and a method is found behind them', async () => {
    const names = createProgram(optionsOf('repl')).commands.map((command) => command.name())
    expect(names.filter((name) => HELP_TOPICS[name] !== undefined)).toEqual([])
    expect((await run(['help', 'put'], createFakeNode(['notes']))).stdout).toContain('Usage: put KEY VALUE')
    expect((await run(['help', 'stores', 'x'], createFakeNode(['notes']))).exitCode).toBe(3)
  })
})
