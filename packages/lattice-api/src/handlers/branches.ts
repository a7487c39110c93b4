/**
 * Shows where the histories of several intentions parted.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { IntentionId } from '@lattice/model'
import type { StoreHandle } from '@lattice/node'
import { daemon } from '@lattice/proto'
import { InvalidArgument } from '@lattice/store-base'
import { findStored } from './inspection.ts'
import { pageLimit } from './request.ts'

type Kernel = ReturnType<StoreHandle['kernel']>

/** Heads of one question: more branches than anyone reads, and few enough to look at them all at once. */
const HEADS_MAX = 64
/** Ids of a branch: a reply stays within a megabyte or so. */
const BRANCH_PAGE = { fallback: 100, max: 1_000 }
/** Records that the question may look at: some hundred milliseconds. */
const INSPECTION_BUDGET = 50_000

export function inspectBranch(
  kernel: Pick<Kernel, 'getByPrefix' | 'inspectBranch'>,
  request: daemon.InspectBranchRequest,
): daemon.InspectBranchResponse {
  const { heads, causalOnly } = request
  if (heads.length === 0 || heads.length > HEADS_MAX) {
    throw new InvalidArgument(`name 1 to ${HEADS_MAX} heads to compare: this names ${heads.length}`, { max: HEADS_MAX })
  }
  const ids = heads.map((prefix): IntentionId => findStored(kernel, prefix).parsed.id)
  const { lcas, branches } = kernel.inspectBranch(ids, {
    edges: causalOnly ? 'causal' : 'all',
    budget: INSPECTION_BUDGET,
    limit: pageLimit(request.limit, BRANCH_PAGE),
  })
  return create(daemon.InspectBranchResponseSchema, {
    lcas: [...lcas],
    branches: branches.map(({ head, count, ids: last }) => ({ head, count: BigInt(count), ids: [...last] })),
  })
}
