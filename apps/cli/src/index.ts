/**
 * `lattice`: the command line and the REPL of a node.
 *
 * @module
 */
export { main } from './main.ts'
export type { ReplOptions } from './repl/repl-options.ts'
export { runRepl } from './repl/run-repl.ts'
