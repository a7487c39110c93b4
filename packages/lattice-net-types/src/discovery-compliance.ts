/**
 * What every `Discovery` must do, as cases to run in any test framework. A failure throws.
 *
 * @module
 */
import { discoveryCases } from './compliance/discovery-cases.ts'
import type { DiscoveryHarness } from './compliance/discovery-harness.ts'
import type { ComplianceCase } from './compliance/harness.ts'
import type { Discovery } from './discovery.ts'

/** The cases, to be run one at a time. Each opens what it needs through the harness and closes it. */
export function discoveryCompliance(harness: DiscoveryHarness): readonly ComplianceCase[] {
  const during = harness.during ?? ((body: () => Promise<void>) => body())
  return discoveryCases.map(({ name, run }) => ({
    name,
    run: () =>
      during(async () => {
        const opened: Discovery[] = []
        const open = async (index: number): Promise<Discovery> => {
          const discovery = await harness.open(index)
          opened.push(discovery)
          return discovery
        }
        try {
          await run({ open, peer: harness.peer, addresses: harness.addresses })
        } finally {
          for (const discovery of opened) await discovery.close()
        }
      }),
  }))
}
