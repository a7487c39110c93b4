import { createManualScheduler, createSeededRandom } from '@lattice/model/testing'
import { transportCompliance } from '@lattice/net-types/compliance'
import { describe, test } from 'vitest'
import { createSimNetwork, simAddress } from './index.ts'
import { keyOf, runInVirtualTime } from './testing/virtual-time.ts'

const scheduler = createManualScheduler()
const network = createSimNetwork({
  random: createSeededRandom('compliance'),
  scheduler,
  latencyMs: { min: 1, max: 20 },
  discovery: false,
})
const nobody = keyOf(99)

describe('the simulated transport', () => {
  const cases = transportCompliance({
    open: async (index) => network.transport(keyOf(index)),
    nobody: { peer: nobody, addresses: [simAddress(nobody)] },
    during: (body) => runInVirtualTime(scheduler, body),
  })
  for (const { name, run } of cases) test(name, run)
})
