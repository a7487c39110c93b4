/**
 * How a command of the tree gets its context.
 *
 * @module
 */
import type { CommandContext } from './command-context.ts'

export type Action<Parameters extends readonly unknown[]> = (
  context: CommandContext,
  ...parameters: Parameters
) => Promise<void>

/** Turns an action into what commander calls: the context is made once the options are known. */
export type Bind = <Parameters extends readonly unknown[]>(
  action: Action<Parameters>,
) => (...parameters: Parameters) => Promise<void>
