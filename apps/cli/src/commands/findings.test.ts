/** `why` and `doctor` over a node that finds what the test says. */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type LatticeBackend, RemoteError } from '@lattice/api/client'
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { type Ran, run } from '../../test/fake-process.ts'
import { findingsText } from '../render/findings-text.ts'
import { createStyle, PLAIN_STYLE } from '../render/style.ts'

const idOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

type Init = MessageInitShape<typeof daemon.FindingSchema>

const { PROBLEM, WARNING, INFO, OK } = daemon.Severity
const TEAM = { storeId: idOf(0x11), storePath: 'team' }
const NAS = { peer: idOf(0xcd), peerName: 'nas' }
const VPS = { peer: idOf(0xef), peerName: 'vps' }

const STALLED: Init = { severity: PROBLEM, code: 'projection_stalled', what: 'it stands', remedy: 'retry', ...TEAM }
const OFFLINE: Init = { severity: WARNING, code: 'peer_offline', what: 'nas is offline', remedy: 'start nas', ...NAS }
const BEHIND: Init = { severity: WARNING, code: 'peer_behind', what: 'nas lacks 3', ...TEAM, ...NAS }
const CLOCK: Init = { severity: INFO, code: 'clock', what: 'the clock was not compared', detailJson: '{"peers":0}' }

interface Asked {
  readonly storeId: string
  readonly peer: string
}

/** Two stores, and nothing but what these commands ask for. */
function nodeThatFinds(findings: readonly Init[]): { readonly backend: LatticeBackend; readonly asked: Asked[] } {
  const asked: Asked[] = []
  const node: Pick<LatticeBackend['node'], 'why' | 'diagnose'> = {
    why: async ({ storeId = new Uint8Array(0), peer = '' }) => {
      asked.push({ storeId: toHex(storeId), peer })
      return create(daemon.WhyResponseSchema, { findings: [...findings] })
    },
    diagnose: async () => create(daemon.DiagnoseResponseSchema, { findings: [...findings] }),
  }
  const store: Pick<LatticeBackend['store'], 'resolve'> = {
    resolve: async ({ reference = '' }) => {
      const id = new Map([
        ['team', 0x11],
        ['notes', 0x22],
      ]).get(reference)
      if (id === undefined) throw new RemoteError('STORE_NOT_FOUND', 'there is no such store', {})
      return create(daemon.StoreInfoSchema, { id: idOf(id), name: reference })
    },
  }
  const backend: unknown = { node, store, dynamic: {}, close: async () => undefined }
  // Whatever else is asked for fails the test.
  return { backend: backend as LatticeBackend, asked }
}

const say = (line: string, findings: readonly Init[]): Promise<Ran> => run(line.split(' '), nodeThatFinds(findings))

describe('why', () => {
  test('groups by node, peers and store, marks how grave each is, and says what to do', async () => {
    expect(await say('why', [STALLED, OFFLINE, BEHIND, CLOCK])).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: `this node
  · the clock was not compared

peers
  ! nas is offline
    → start nas

team  111111111111
  ✗ it stands
    → retry
  ! nas lacks 3
`,
    })
  })

  test('what is of a store itself stands before what is of its peers, each peer together', async () => {
    const of = (peer: Init, what: string): Init => ({ severity: INFO, code: 'x', what, ...TEAM, ...peer })
    const { stdout } = await say('why', [of(NAS, 'nas 1'), of(VPS, 'vps 1'), of(NAS, 'nas 2'), STALLED])
    expect(stdout.match(/it stands|nas \d|vps \d/gu)).toEqual(['it stands', 'nas 1', 'nas 2', 'vps 1'])
  })

  test('says that nothing is missing, and no more than that', async () => {
    expect(await say('why', [])).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: 'nothing is missing, as far as this node knows\n',
    })
  })

  test('answers with the message of the API in JSON, also where nothing is missing', async () => {
    const { stdout, exitCode } = await say('--json why', [{ ...BEHIND, detailJson: '{"unseen":3}' }])
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      findings: [
        {
          severity: 'SEVERITY_WARNING',
          code: 'peer_behind',
          what: 'nas lacks 3',
          remedy: '',
          storeId: '11'.repeat(32),
          storePath: 'team',
          peer: 'cd'.repeat(32),
          peerName: 'nas',
          detailJson: '{"unseen":3}',
        },
      ],
    })
    expect(JSON.parse((await say('--json why', [])).stdout)).toEqual({ findings: [] })
  })

  test.each([
    ['why', { storeId: '', peer: '' }],
    ['why team', { storeId: '11'.repeat(32), peer: '' }],
    ['why team nas', { storeId: '11'.repeat(32), peer: 'nas' }],
    ['--store notes why', { storeId: '22'.repeat(32), peer: '' }],
    ['--store notes why nas', { storeId: '22'.repeat(32), peer: 'nas' }],
  ])('%s asks for what it names', async (line, wanted) => {
    const node = nodeThatFinds([])
    await run(line.split(' '), node)
    expect(node.asked).toEqual([wanted])
  })

  test('a store that is named twice is misuse, one that is not here is not found', async () => {
    expect(await say('--store team why notes nas', [])).toMatchObject({ exitCode: 2 })
    expect(await say('why nowhere', [])).toMatchObject({ exitCode: 3 })
  })

  test('shows nothing that a terminal would act on', async () => {
    const { stdout } = await say('why', [{ ...STALLED, what: 'a\u001B[2Jb', remedy: 'c\nd', storePath: 'e\u202Ef' }])
    for (const character of ['\u001B', '\u202E']) expect(stdout).not.toContain(character)
    expect(stdout.split('\n')).toHaveLength(4)
  })
})

describe('doctor', () => {
  const WELL: Init = { severity: OK, code: 'disk', what: '4 GB are free' }

  test('ends well where nothing is a problem', async () => {
    expect(await say('doctor', [WELL])).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: 'this node\n  ✓ 4 GB are free\n\nnothing is wrong\n',
    })
    const warned = await say('doctor', [WELL, OFFLINE])
    expect(warned.exitCode).toBe(0)
    expect(warned.stdout).toMatch(/\n\n1 warning\n$/u)
  })

  test('ends with 1 on a problem, and with 6 where data is damaged', async () => {
    const failed = await say('doctor', [WELL, STALLED])
    expect(failed).toMatchObject({ exitCode: 1, stderr: 'error: the doctor found 1 problem: projection_stalled\n' })
    expect(failed.stdout).toContain('✗ it stands')
    const damaged: Init = { severity: PROBLEM, code: 'integrity', what: 'the chain does not link', ...TEAM }
    expect(await say('doctor', [STALLED, damaged])).toMatchObject({ exitCode: 6 })
    expect(await say('doctor', [{ ...damaged, severity: OK }])).toMatchObject({ exitCode: 0 })
  })

  test('in JSON is the message of the API, and the failure another on stderr', async () => {
    const { stdout, stderr, exitCode } = await say('--json doctor', [STALLED])
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      findings: [{ code: 'projection_stalled', severity: 'SEVERITY_PROBLEM' }],
    })
    expect(JSON.parse(stderr)).toMatchObject({ error: { detail: { codes: ['projection_stalled'] } } })
  })
})

test('help says what they do, and how they are typed', async () => {
  for (const [name, example] of [
    ['why', 'lattice why team nas'],
    ['doctor', 'lattice --json doctor'],
  ] as const) {
    const { exitCode, stdout } = await run(['help', name])
    expect(exitCode).toBe(0)
    expect(stdout).toContain(`\n  ${example}\n`)
  }
})

test('findings fit the terminal, and remedies are dimmed', () => {
  const what = 'one two three four five six seven eight nine ten'
  const finding = create(daemon.FindingSchema, { severity: WARNING, what, remedy: what, ...TEAM })
  const text = findingsText([finding], { style: PLAIN_STYLE, full: false, width: 30 })
  expect(text).toBe(`team  111111111111
  ! one two three four five
    six seven eight nine ten
    → one two three four five
    six seven eight nine ten`)
  const painted = findingsText([finding], { style: createStyle({ colour: true }), full: true, width: undefined })
  expect(painted).toContain(`\u001B[33m!\u001B[39m ${what}`)
  expect(painted).toContain(`\u001B[2m→ ${what}\u001B[22m`)
  expect(painted).toContain('11'.repeat(32))
})
