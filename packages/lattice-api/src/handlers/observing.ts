/**
 * What the authors of a store have seen of each other, and who forked.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { encodeForkProof, idKey, type IntentionId, toHex } from '@lattice/model'
import type { StoreHandle } from '@lattice/node'
import { daemon } from '@lattice/proto'
import { toPeerLag } from './messages.ts'
import { pageLimit } from './request.ts'

const FORKS_PAGE = { fallback: 100, max: 1_000 }
/** Larger proofs are left out of a list: a thousand of them would not fit an answer. */
const PROOF_BYTES_MAX: number = 256 * 1024
/** All proofs of one answer: half of what a call may answer by default. */
const PROOFS_BYTES_MAX: number = 2 * 1024 * 1024

export async function acknowledge(store: StoreHandle): Promise<daemon.AcknowledgeResponse> {
  const id = await store.acknowledge()
  return create(daemon.AcknowledgeResponseSchema, id === undefined ? {} : { id })
}

export function observe(store: StoreHandle): daemon.Observations {
  const { authors, omitted, stability } = store.observations()
  const names = namesOf(store)
  return create(daemon.ObservationsSchema, {
    authors: authors.map(({ author, seen, unseen, unseenSinceMs }) => ({
      author,
      name: names.get(toHex(author)) ?? '',
      seen: seen.map((cell) => ({
        author: cell.author,
        count: BigInt(cell.count),
        position: BigInt(cell.position),
        seq: BigInt(cell.seq),
      })),
      lag: toPeerLag({ unseen, unseenSinceMs }),
    })),
    omitted,
    stable: BigInt(stability.count),
    witnessCount: BigInt(store.kernel().stats().witnessCount),
    headSeq: BigInt(store.kernel().projection().headSeq),
    stableFrontier: [...stability.ids],
  })
}

export function listForks(store: StoreHandle, request: daemon.ListForksRequest): daemon.ListForksResponse {
  const kernel = store.kernel()
  const names = namesOf(store)
  const open = new Map(
    kernel.tips().map(({ author, tips }) => [idKey(author), tips.filter(({ joined }) => !joined).length > 1]),
  )
  let left = PROOFS_BYTES_MAX
  const proofOf = (ids: readonly [IntentionId, IntentionId]): Uint8Array => {
    const proof = kernel.forkProof(ids)
    const bytes = proof === undefined ? new Uint8Array(0) : encodeForkProof(proof)
    if (bytes.length > PROOF_BYTES_MAX || bytes.length > left) return new Uint8Array(0)
    left -= bytes.length
    return bytes
  }
  return create(daemon.ListForksResponseSchema, {
    forks: kernel.forks(pageLimit(request.limit, FORKS_PAGE)).map(({ author, ids }) => ({
      author,
      authorName: names.get(toHex(author)) ?? '',
      first: ids[0],
      second: ids[1],
      joined: open.get(idKey(author)) !== true,
      proof: proofOf(ids),
    })),
  })
}

function namesOf(store: StoreHandle): ReadonlyMap<string, string> {
  return new Map(store.peers().map((peer) => [toHex(peer.publicKey), peer.name]))
}
