/**
 * What the handlers are given.
 *
 * @module
 */
import type { Clock } from '@lattice/model'
import type { Node } from '@lattice/node'

export interface HandlerDeps {
  readonly node: Node
  readonly clock: Clock
  /** Of the running program. */
  readonly version: string
  /** `wasm` or `native`. */
  readonly cryptoBackend: string
}
