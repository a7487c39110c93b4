/**
 * The program behind `npm run sim`.
 *
 * @module
 */
import { runSimCommand } from './sim-command.ts'

process.exitCode = await runSimCommand(process.argv.slice(2), (text) => {
  process.stdout.write(text)
})
