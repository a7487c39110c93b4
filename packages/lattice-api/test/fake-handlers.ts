/**
 * Handlers for tests, of which only a few do anything.
 */
import { create } from '@bufbuild/protobuf'
import { LatticeError } from '@lattice/model'
import { daemon } from '@lattice/proto'
import type { BackendHandlers } from '../src/index.ts'

class Missing extends LatticeError {
  readonly code = 'STORE_NOT_FOUND'
  override readonly detail = { reference: 'abcd', size: 10n }
}

class Stopped extends LatticeError {
  readonly code = 'INVALID_ARGUMENT'
  override readonly detail: { readonly written: number }

  constructor(written: number) {
    super('this one is refused')
    this.detail = { written }
  }
}

/** Handlers of which only those that a test calls do anything. */
export function fakeHandlers(streams: { opened: number; ended: number }): BackendHandlers {
  const handlers: Record<string, unknown> = {
    getStatus: () => Promise.resolve(create(daemon.NodeStatusSchema, { name: 'first', stores: 2 })),
    setName: () => Promise.reject(new Missing('no store abcd: list them first')),
    listStoreTypes: () => Promise.reject(new TypeError('secret internals')),
    // Answers each message with how many requests came so far; refuses the request `no`, and fails before it reads `never`.
    execMany: async function* (messages: AsyncIterable<daemon.ExecManyRequest>) {
      let count = 0
      streams.opened += 1
      try {
        for await (const { method, requests } of messages) {
          if (method === 'never') throw new Missing('not this method')
          for (const request of requests) {
            if (new TextDecoder().decode(request) === 'no') throw new Stopped(count)
            count += 1
          }
          yield create(daemon.ExecManyProgressSchema, { written: BigInt(count) })
        }
      } finally {
        streams.ended += 1
      }
      yield create(daemon.ExecManyProgressSchema, { written: BigInt(count), done: true })
    },
    subscribe: async function* (_request: unknown, signal: AbortSignal) {
      streams.opened += 1
      try {
        for (let n = 0; n < 3; n += 1) yield create(daemon.NodeEventSchema, { time: BigInt(n) })
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      } finally {
        streams.ended += 1
      }
    },
  }
  const any = new Proxy(handlers, {
    get: (target, name) =>
      typeof name === 'string' ? (target[name] ?? (() => Promise.reject(new Missing('x')))) : undefined,
    ownKeys: () => [
      ...new Set(
        [
          ...Object.values(daemon.NodeService.method),
          ...Object.values(daemon.StoreService.method),
          ...Object.values(daemon.DynamicStoreService.method),
        ].map((m) => m.localName),
      ),
    ],
    getOwnPropertyDescriptor: (_target, name) => ({
      enumerable: true,
      configurable: true,
      value: handlers[String(name)] ?? (() => Promise.reject(new Missing('x'))),
    }),
  })
  return { node: any, store: any, dynamic: any } as unknown as BackendHandlers
}
