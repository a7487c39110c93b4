import { MAX_DRIFT_MS } from '@lattice/model'
import { expect, test } from 'vitest'
import type { Finding } from '../node-types.ts'
import { gravestFirst } from './finding.ts'
import { DISK_CRITICAL_BYTES, DISK_LOW_BYTES, nodeReasons, type NodeSnapshot } from './node-reasons.ts'

const WELL: NodeSnapshot = {
  hasNetwork: true,
  clock: { verdict: 'good', aheadMs: 40 },
  disk: { freeBytes: DISK_LOW_BYTES, totalBytes: 4 * DISK_LOW_BYTES },
}
const free = (freeBytes: number): NodeSnapshot['disk'] => ({ freeBytes, totalBytes: 4 * DISK_LOW_BYTES })

test.each([
  ['well', {}, undefined, ''],
  ['on a disk that says nothing', { disk: undefined }, undefined, ''],
  ['offline', { hasNetwork: false }, 'warning no_network', 'without a network'],
  ['ahead', { clock: { verdict: 'ahead', aheadMs: MAX_DRIFT_MS } }, 'warning clock_ahead', '1 min ahead of its peers'],
  [
    'too far ahead',
    { clock: { verdict: 'ahead', aheadMs: MAX_DRIFT_MS + 1 } },
    'problem clock_ahead',
    'its writes are refused',
  ],
  [
    'behind what it saw',
    { clock: { verdict: 'behind', aheadMs: undefined } },
    'warning clock_behind',
    'behind what it has witnessed',
  ],
  ['behind its peers', { clock: { verdict: 'behind', aheadMs: -7_200_000 } }, 'warning clock_behind', 'behind by 2 h'],
  ['on a small disk', { disk: free(DISK_LOW_BYTES - 1) }, 'warning disk_low', '1.1 GB of 4.3 GB are free'],
  ['on a full disk', { disk: free(DISK_CRITICAL_BYTES - 1) }, 'problem disk_low', 'about to be refused'],
] satisfies [string, Partial<NodeSnapshot>, string | undefined, string][])(
  'a node that is %s',
  (_, changes, expected, what) => {
    const reasons = nodeReasons({ ...WELL, ...changes })
    expect(reasons.map(({ severity, code }) => `${severity} ${code}`)).toEqual(expected === undefined ? [] : [expected])
    expect(reasons[0]?.what ?? '').toContain(what)
  },
)

test('the gravest comes first, and equals stay in their order', () => {
  const finding = (severity: Finding['severity'], code: string): Finding => ({
    severity,
    code,
    what: '',
    remedy: '',
    store: undefined,
    peer: undefined,
    detail: {},
  })
  const found = [
    finding('info', 'a'),
    finding('warning', 'b'),
    finding('ok', 'c'),
    finding('problem', 'd'),
    finding('warning', 'e'),
  ]
  expect(gravestFirst(found).map(({ code }) => code)).toEqual(['d', 'b', 'e', 'a', 'c'])
})
