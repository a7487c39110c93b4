/**
 * How the node and its stores are, part by part, what is well included.
 *
 * @module
 */
import type { FindingDeps } from './findings/finding-deps.ts'
import { toFinding } from './findings/finding.ts'
import { gatherDoctor } from './findings/gather-doctor.ts'
import { nodeChecks } from './findings/node-checks.ts'
import { storeChecks } from './findings/store-checks.ts'
import type { Finding } from './node-types.ts'

/** The node first, then store by store. */
export async function diagnoseNode(deps: FindingDeps): Promise<readonly Finding[]> {
  const snapshot = gatherDoctor(deps)
  return [
    ...nodeChecks(snapshot).map((reason) => toFinding(reason, undefined)),
    ...snapshot.stores.flatMap((health) =>
      storeChecks(health, snapshot).map((reason) => toFinding(reason, health.store.ref)),
    ),
  ]
}
