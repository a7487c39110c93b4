/**
 * `lattice daemon …`: the same as `latticed …`.
 *
 * @module
 */
import type { Command } from 'commander'

/** Lists the command; `main` hands its words on before this tree reads them, for they are the daemon's own. */
export function addDaemonCommand(program: Command): void {
  program
    .command('daemon')
    .description('run a node and serve its API: the same as latticed')
    .helpOption(false)
    .allowUnknownOption()
    .argument('[words...]', "the options of latticed: 'latticed --help' lists them")
}
