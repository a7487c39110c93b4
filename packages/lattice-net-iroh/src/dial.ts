/**
 * Bounds a dial: by the caller's signal, and by the life of the transport.
 *
 * The native attempt cannot be called off. It is left behind, and should it succeed after all, its connection is closed.
 *
 * @module
 */
import type { AbortSignal, PublicKey } from '@lattice/model'
import { type DialOptions, PeerUnreachable } from '@lattice/net-types'
import { type Connection as NativeConnection, describeFailure, textToNumbers } from './native.ts'

export interface DialDeps<T> {
  /** Starts the native attempt. */
  readonly attempt: () => Promise<NativeConnection>
  /** Takes over a connection that came up in time. */
  readonly adopt: (native: NativeConnection) => T
  /** Aborted when the transport closes. */
  readonly stop: AbortSignal
}

/** Rejects with {@link PeerUnreachable}, or `signal.reason` once aborted. */
export function dial<T>(peer: PublicKey, { addresses, signal }: DialOptions, deps: DialDeps<T>): Promise<T> {
  const { attempt, adopt, stop } = deps
  return new Promise<T>((resolve, reject) => {
    let over = false
    const end = (): void => {
      over = true
      signal.removeEventListener('abort', onAbort)
      stop.removeEventListener('abort', onStop)
    }
    const fail = (why: unknown): void => {
      if (over) return
      end()
      reject(why)
    }
    const unreachable = (why: string): void => fail(new PeerUnreachable(peer, addresses, { cause: new Error(why) }))
    const onAbort = (): void => fail(signal.reason)
    const onStop = (): void => unreachable('the transport was closed')
    const onConnected = (native: NativeConnection): void => {
      if (over) return native.close(0n, textToNumbers('the dial was abandoned'))
      end()
      resolve(adopt(native))
    }
    if (signal.aborted) return onAbort()
    if (stop.aborted) return onStop()
    signal.addEventListener('abort', onAbort, { once: true })
    stop.addEventListener('abort', onStop, { once: true })
    attempt()
      .then(onConnected)
      .catch((error: unknown) => unreachable(describeFailure(error)))
  })
}
