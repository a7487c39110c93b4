/**
 * What every command is given: a way to the node, the store it is about, and a
 * place to answer. A command keeps nothing of its own.
 *
 * @module
 */
import type { LatticeBackend } from '@lattice/api/client'
import type { daemon } from '@lattice/proto'
import type { StoreInterface } from './dynamic/store-methods.ts'
import type { CliClock, InputStream } from './io.ts'
import type { Output } from './output.ts'

export interface CommandContext {
  readonly out: Output
  readonly clock: CliClock
  readonly stdin: InputStream
  /** Aborts when the user interrupts, or nobody reads the output any more. */
  readonly signal: AbortSignal
  /** Connects at the first call. */
  readonly backend: () => Promise<LatticeBackend>
  /** The store a command is about: `reference` if given, else the selected one. */
  readonly store: (reference?: string) => Promise<daemon.StoreInfo>
  /** Puts a question to whoever sits at the terminal; undefined where nobody does. */
  readonly ask: Ask | undefined
  /** What a store can do; asked once per store. */
  readonly storeInterface: (store: daemon.StoreInfo) => Promise<StoreInterface>
  /** Present inside the REPL only. */
  readonly repl: ReplControls | undefined
}

/** Resolves with the line that was entered; undefined when the terminal was left instead. */
export type Ask = (question: string) => Promise<string | undefined>

export interface ReplControls {
  /** Selects the store of the commands to come. */
  readonly use: (store: daemon.StoreInfo) => Promise<void>
  /** A store has become another; of the selected one this is what is known from now on. */
  readonly changed: (store: daemon.StoreInfo) => void
  /** A store is gone: it is selected no longer. */
  readonly removed: (storeId: Uint8Array) => void
  /** Runs a stream beside the commands to come; its lines appear above the prompt. */
  readonly follow: (label: string, run: (signal: AbortSignal) => Promise<void>) => number
  readonly subscriptions: () => readonly { readonly number: number; readonly label: string }[]
  /** Ends one, or all; resolves with how many ended. */
  readonly unfollow: (which: number | 'all') => Promise<number>
  readonly quit: () => void
}
