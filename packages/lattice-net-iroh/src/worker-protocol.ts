/**
 * What the transport and its worker say to each other.
 *
 * Both ends are this package, of the same version: the messages are typed, not validated. Connections and streams are named
 * by numbers the worker gives out. Bytes are transferred, not copied.
 *
 * @module
 */
import type { CloseReason } from '@lattice/net-types'

/** How the worker is started. */
export interface WorkerSettings {
  readonly secretSeed: Uint8Array
  readonly bindAddress: string | undefined
  readonly relay: 'off' | 'default'
}

/** What can be asked of the worker; each request has one answer. */
export type Operation =
  | { readonly op: 'connect'; readonly dial: number; readonly peer: Uint8Array; readonly addresses: readonly string[] }
  | { readonly op: 'accept' }
  | { readonly op: 'open'; readonly connection: number }
  | { readonly op: 'acceptStream'; readonly connection: number }
  | { readonly op: 'closeConnection'; readonly connection: number; readonly message: string }
  | { readonly op: 'read'; readonly stream: number }
  | { readonly op: 'write'; readonly stream: number; readonly bytes: Uint8Array }
  | { readonly op: 'finish'; readonly stream: number }
  | { readonly op: 'shutdown' }

/** Said without waiting for an answer. */
export type Command =
  | { readonly op: 'abortDial'; readonly dial: number }
  | { readonly op: 'reset'; readonly stream: number }
  | { readonly op: 'refreshAddresses' }
  | { readonly op: 'due'; readonly timer: number }

export interface Request {
  readonly call: number
  readonly operation: Operation
}

/** A connection as the worker names it. */
export interface ConnectionName {
  readonly connection: number
  readonly peer: Uint8Array
}

/** Answers, by what they answer. An iteration that has ended answers `undefined`. */
export interface Answers {
  readonly connect: ConnectionName
  readonly accept: ConnectionName | undefined
  readonly open: number
  readonly acceptStream: number | undefined
  readonly closeConnection: undefined
  readonly read: Uint8Array | undefined
  readonly write: undefined
  readonly finish: undefined
  readonly shutdown: undefined
}

export type Answer = Answers[Operation['op']]

/** Why the worker could not start. */
export type StartFailure =
  | { readonly kind: 'bind'; readonly address: string; readonly why: string }
  | { readonly kind: 'unavailable'; readonly why: string }

export type FromWorker =
  | { readonly kind: 'ready'; readonly id: Uint8Array; readonly addresses: readonly string[] }
  | { readonly kind: 'failed'; readonly failure: StartFailure }
  | { readonly kind: 'answer'; readonly call: number; readonly value: Answer }
  | { readonly kind: 'refusal'; readonly call: number; readonly why: string }
  | { readonly kind: 'closed'; readonly connection: number; readonly reason: CloseReason }
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'after'; readonly timer: number; readonly delayMs: number }
  | { readonly kind: 'cancel'; readonly timer: number }
  | { readonly kind: 'error'; readonly why: string }

export type ToWorker = Request | Command
