/**
 * Brings an argument list into the form in which the command tree reads it
 * without surprises.
 *
 * A store's method takes words that are data: `put k -5` must not lose its `-5`
 * to option parsing, and `list --limit 5` must not read `--limit` as a key. So
 * behind a word that is no command of the tree, only the global options are
 * options, anything else with a dash is refused, and `--` ends the matter.
 *
 * @module
 */
import type { Command } from 'commander'
import { UsageError } from './errors.ts'

const NEGATIVE_NUMBER = /^-(?:\d|\.\d)/u

/** The same arguments, reordered where the first word is no command of `program`. */
export function normalizeArgv(program: Command, argv: readonly string[]): readonly string[] {
  const globals: string[] = []
  const words: string[] = []
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? ''
    if (word === '--') {
      words.push(...argv.slice(index + 1))
      break
    }
    const option = isOptionLike(word) ? findOption(program, word) : undefined
    if (option !== undefined) {
      globals.push(word)
      if (option.required && !word.includes('=') && index + 1 < argv.length) {
        index += 1
        globals.push(argv[index] ?? '')
      }
      continue
    }
    if (words.length === 0 && (isOptionLike(word) || isCommand(program, word))) return argv
    if (word === '--help' || word === '-h') return [...globals, 'help', words[0] ?? '']
    if (isOptionLike(word)) throw unknownOption(word, words[0] ?? '')
    words.push(word)
  }
  return words.length === 0 ? argv : [...globals, '--', ...words]
}

function isCommand(program: Command, word: string): boolean {
  return program.commands.some((command) => command.name() === word || command.aliases().includes(word))
}

function isOptionLike(word: string): boolean {
  return word.length > 1 && word.startsWith('-') && !NEGATIVE_NUMBER.test(word)
}

function findOption(program: Command, word: string): { readonly required: boolean } | undefined {
  const name = word.startsWith('--') ? (word.split('=', 1)[0] ?? word) : word
  return program.options.find((option) => option.long === name || option.short === name)
}

function unknownOption(word: string, method: string): UsageError {
  const name = word.replace(/^-+/u, '').split('=', 1)[0] ?? ''
  return new UsageError(`${method} has no option ${word}`, {
    hint: `a field is written ${name}=VALUE; put -- before words that begin with a dash`,
  })
}
