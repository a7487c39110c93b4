/**
 * `latticed`: parses flags, runs a node, exits with a code that says how it went.
 *
 * @module
 */
import { isLatticeError } from '@lattice/model'
import { exitCodeOf } from '@lattice/runtime'
import { CommanderError } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { createCommand } from './options.ts'
import { runDaemon } from './run-daemon.ts'

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
const EXIT_FAILED = 1
const EXIT_USAGE = 2

/** Runs the daemon until a signal; resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = createCommand(process.env, packageJson.version, (options) =>
    runDaemon(options, {
      print: (line) => process.stdout.write(`${line}\n`),
      onSignal: (handler) => {
        for (const signal of SIGNALS) process.on(signal, handler)
        return () => {
          for (const signal of SIGNALS) process.off(signal, handler)
        }
      },
      exitNow: (code) => process.exit(code),
    }),
  )
  command.exitOverride()
  try {
    await command.parseAsync(argv, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
    if (!isLatticeError(error)) throw error
    process.stderr.write(`error: ${error.message}\n`)
    return exitCodeOf(error.code) || EXIT_FAILED
  }
}
