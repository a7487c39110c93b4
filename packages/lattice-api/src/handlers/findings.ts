/**
 * What is missing and how the node is, for people and programs.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { Finding, Node } from '@lattice/node'
import { daemon } from '@lattice/proto'
import { detailToJson } from '../error-wire.ts'
import type { ServiceHandlers } from '../service-types.ts'
import { storeOf } from './request.ts'

const SEVERITIES: Readonly<Record<Finding['severity'], daemon.Severity>> = {
  ok: daemon.Severity.OK,
  info: daemon.Severity.INFO,
  warning: daemon.Severity.WARNING,
  problem: daemon.Severity.PROBLEM,
}
const NONE = new Uint8Array(0)

export function findingsOf(node: Node): Pick<ServiceHandlers<typeof daemon.NodeService>, 'why' | 'diagnose'> {
  return {
    why: async ({ storeId, peer }) => {
      const findings = await node.why({
        ...(storeId.length === 0 ? {} : { store: storeOf(node, storeId).id }),
        ...(peer === '' ? {} : { peer }),
      })
      return create(daemon.WhyResponseSchema, { findings: findings.map(toFinding) })
    },
    diagnose: async () => create(daemon.DiagnoseResponseSchema, { findings: (await node.diagnose()).map(toFinding) }),
  }
}

function toFinding({ severity, code, what, remedy, store, peer, detail }: Finding): daemon.Finding {
  return create(daemon.FindingSchema, {
    severity: SEVERITIES[severity],
    code,
    what,
    remedy,
    storeId: store?.id ?? NONE,
    storePath: store?.path ?? '',
    peer: peer?.publicKey ?? NONE,
    peerName: peer?.name ?? '',
    detailJson: detailToJson(detail),
  })
}
