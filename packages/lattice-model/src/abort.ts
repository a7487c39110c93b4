/**
 * Cancellation, typed without the DOM: the global `AbortSignal` where the program knows it, else the part used here.
 *
 * @module
 */

declare global {
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol
  }
  interface AsyncDisposable {
    [Symbol.asyncDispose](): PromiseLike<void>
  }
}

/** The part of a signal that this package relies on. */
interface MinimalAbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** An `AbortSignal`: the platform's own type where it is declared, so that it can be handed to platform functions. */
export type AbortSignal = typeof globalThis extends { AbortSignal: { prototype: infer Platform } }
  ? Platform
  : MinimalAbortSignal

/** An `AbortController`, reduced to what is used. */
export interface AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}

interface PlatformGlobals {
  readonly AbortController: new () => AbortController
}

/** Makes a controller of the platform. */
export function createAbortController(): AbortController {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The one place that reads the untyped global.
  const platform = globalThis as unknown as PlatformGlobals
  return new platform.AbortController()
}
