/**
 * Lets a typed client of a state machine work over any backend.
 *
 * @module
 */
import { assert, type StoreId } from '@lattice/model'
import type { ExecManyOptions, ExecutedMany, Executor, ManyRequests } from '@lattice/store-base'
import type { LatticeBackend } from './backend.ts'

/** Carries the calls of one store; pass it to `createClient`. */
export function storeExecutor({ dynamic }: Pick<LatticeBackend, 'dynamic'>, storeId: StoreId): Executor {
  return {
    exec: async (method, request, signal) => {
      const { response } = await dynamic.exec({ storeId, method, request }, { signal })
      return response
    },
    execMany: (method, requests, options) => execMany(dynamic, { storeId, method }, { requests, options }),
    subscribe: async function* (stream, params, signal) {
      for await (const { event } of dynamic.subscribe({ storeId, stream, params }, { signal })) yield event
    },
  }
}

/** Bytes of requests per message, at most one request more: many enough for a commit, few enough to hold. */
const MAX_PART_BYTES: number = 512 * 1024
/** Requests per message: as many as one commit takes. */
const MAX_PART_REQUESTS = 1024

async function execMany(
  dynamic: LatticeBackend['dynamic'],
  { storeId, method }: { readonly storeId: StoreId; readonly method: string },
  { requests, options }: { readonly requests: ManyRequests; readonly options: ExecManyOptions },
): Promise<ExecutedMany> {
  async function* messages(): AsyncGenerator<{ storeId?: StoreId; method?: string; requests: Uint8Array[] }> {
    yield { storeId, method, requests: [] }
    for await (const part of Symbol.iterator in requests ? [requests] : requests) {
      for (const some of parted(part)) yield { requests: some }
    }
  }
  let written: number | undefined
  const { signal, onProgress } = options
  for await (const progress of dynamic.execMany(messages(), { ...(signal && { signal }) })) {
    if (progress.done) written = Number(progress.written)
    else onProgress?.({ written: Number(progress.written) })
  }
  assert(written !== undefined, 'a call that ends well says what it did')
  return { written }
}

function* parted(requests: Iterable<Uint8Array>): Generator<Uint8Array[], void, undefined> {
  let part: Uint8Array[] = []
  let bytes = 0
  for (const request of requests) {
    part.push(request)
    bytes += request.length
    if (part.length < MAX_PART_REQUESTS && bytes < MAX_PART_BYTES) continue
    yield part
    part = []
    bytes = 0
  }
  if (part.length > 0) yield part
}
