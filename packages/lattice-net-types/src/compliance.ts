/**
 * What every `Transport` and every `Discovery` must do, as cases to run in any test framework. A failure throws.
 *
 * @module
 */
import { connectionCases } from './compliance/connection-cases.ts'
import { edgeCases } from './compliance/edge-cases.ts'
import type { ComplianceCase, TransportHarness } from './compliance/harness.ts'
import { lifecycleCases } from './compliance/lifecycle-cases.ts'
import { openMesh, type TransportCase } from './compliance/mesh.ts'
import { streamCases } from './compliance/stream-cases.ts'

export type { DiscoveryHarness } from './compliance/discovery-harness.ts'
export type { ComplianceCase, TransportHarness } from './compliance/harness.ts'
export { discoveryCompliance } from './discovery-compliance.ts'

/** The cases, to be run one at a time. Each opens what it needs through the harness and closes it. */
export function transportCompliance(harness: TransportHarness): readonly ComplianceCase[] {
  const cases: readonly TransportCase[] = [...connectionCases, ...streamCases, ...lifecycleCases, ...edgeCases]
  const during = harness.during ?? ((body: () => Promise<void>) => body())
  return cases.map(({ name, run }) => ({
    name,
    run: () =>
      during(async () => {
        const mesh = openMesh(harness)
        try {
          await run(mesh)
        } finally {
          await mesh.close()
        }
      }),
  }))
}
