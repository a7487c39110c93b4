import { create } from '@bufbuild/protobuf'
import { toHex } from '@lattice/model'
import { daemon } from '@lattice/proto'
import { beforeEach, describe, expect, test } from 'vitest'
import { SNAPSHOT } from '../../test/fake-history.ts'
import { OTHER } from '../../test/fake-life.ts'
import { createFakeNode, type FakeNode, idOf } from '../../test/fake-node.ts'
import { type Ran, run, type RunOptions } from '../../test/fake-process.ts'

const FAILED = 1
const USAGE = 2
const REFUSED = 5
const { NOTHING_TO_PRUNE, HISTORY_RECENT, NOT_SETTLED } = daemon.PruneHindrance
let node: FakeNode

beforeEach(() => {
  node = createFakeNode(['team'])
})

const at = (line: string, options: RunOptions = {}): Promise<Ran> => run(line.split(' '), { ...node, ...options })
const asked = (name: string): readonly string[] => node.requests.filter((each) => each.startsWith(`store.${name}`))

describe('store prune --dry-run', () => {
  test('says what goes and stays, what that frees, and what is in the way', async () => {
    expect((await at('store prune --dry-run')).stdout).toMatchInlineSnapshot(`
      "goes    12,345 intentions, 3.5 MB
      stays   21 intentions, 4.2 kB
      frees   about 3.4 MB of the log
      cut at  an epoch that is not made yet
      now     an epoch is made for it
      "
    `)
    node.history.plan.hindrance = NOT_SETTLED
    node.history.plan.epoch = idOf(0xe1)
    node.history.plan.waitsFor = [OTHER]
    expect((await at('store prune --dry-run --keep-days 30')).stdout).toMatchInlineSnapshot(`
      "goes    12,345 intentions, 3.5 MB
      stays   21 intentions, 4.2 kB
      frees   about 3.4 MB of the log
      cut at  epoch e1e1e1e1e1e1
      now     waits for nas to acknowledge the epoch
      "
    `)
    expect(asked('planPrune')).toEqual(['store.planPrune 0 0', 'store.planPrune 0 30'])
    expect(asked('prune')).toEqual([])
  })

  test('is one JSON document', async () => {
    expect(JSON.parse((await at('--json store prune --dry-run')).stdout)).toMatchObject({
      goes: { intentions: '12345', bytes: '3456789' },
      freedBytes: '3400000',
      waitsFor: [],
      hindrance: 'PRUNE_HINDRANCE_EPOCH_NEEDED',
    })
  })
})

describe('store prune', () => {
  test('says the epoch that does it and who has yet to acknowledge it', async () => {
    expect(await at('store prune --yes')).toMatchObject({
      exitCode: 0,
      stdout:
        'epoch 5 (e5e5e5e5e5e5) deletes 12,345 intentions on every node once it is final: 0 of 1 peer has acknowledged it, waiting for nas\n',
    })
    expect(JSON.parse((await at('--json store prune --yes --keep-count 10')).stdout)).toMatchObject({
      outcome: 'PRUNE_OUTCOME_BEGUN',
      epoch: { id: toHex(idOf(0xe5)), cause: 'EPOCH_CAUSE_PRUNE', waitingFor: [toHex(OTHER)] },
    })
    expect(asked('prune')).toEqual(['store.prune 0 0', 'store.prune 10 0'])
  })

  test('waits until it is done where that is wanted, and tells what for', async () => {
    const { stdout, stderr } = await at('store prune --yes --wait')
    expect(stdout).toBe(
      'the history of team (111111111111) begins with epoch 5 (e5e5e5e5e5e5) of 2023-11-14 22:13:20Z, 12,345 intentions before it are gone\n',
    )
    expect(stderr).toContain('waits for nas (epoch e5e5e5e5e5e5)')
    expect(JSON.parse((await at('--json store prune --yes --wait')).stdout)).toMatchObject({
      outcome: 'PRUNE_OUTCOME_BEGUN',
      pruning: { state: 'PRUNING_STATE_IDLE', base: { seq: '5', gone: '12345' } },
    })
  })

  test('is not waited for any more once its epoch stays without effect', async () => {
    node.history.fault = 'outranked'
    expect(await at('store prune --yes --wait')).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `waits for nas (epoch e5e5e5e5e5e5)
epoch e5e5e5e5e5e5: it has no effect as yet: its author is no admin by what is here of the store above
error: the prune of team (111111111111) has no effect: a senior admin took the rights of its author at the same time (epoch 5, e5e5e5e5e5e5)
hint: 'peer list' shows who is an admin now: one of them can do it again
`,
    })
    const { exitCode, stdout } = await at('--json store prune --yes --wait')
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ pruning: { ineffective: { fault: 'outranked', mayCount: false } } })
  })

  test('needs consent only where something goes', async () => {
    expect((await at('store prune')).stderr).toContain('needs your consent')
    expect(asked('prune')).toEqual([])
    Object.assign(node.history, { outcome: daemon.PruneOutcome.NOTHING })
    node.history.plan.hindrance = NOTHING_TO_PRUNE
    expect((await at('store prune --wait')).stdout).toBe('nothing was done: there is nothing to delete\n')
    Object.assign(node.history, { outcome: daemon.PruneOutcome.MARKED })
    node.history.plan.hindrance = HISTORY_RECENT
    expect((await at('store prune --keep-days 30')).stdout).toBe(
      'nothing is old enough to go yet: epoch 5 (e5e5e5e5e5e5) is made, which a later prune can cut at\n',
    )
  })

  test('is for admins, and takes no words that contradict each other', async () => {
    for (const line of [
      'store prune --keep-days 3 --keep-count 3',
      'store prune --keep-days 0',
      'store prune --policy sometimes',
      'store prune --policy keep-days',
      'store prune --policy manual=3',
      'store prune --policy manual --yes',
      'store prune --dry-run --wait',
    ]) {
      expect((await at(line)).exitCode).toBe(USAGE)
    }
    expect(node.requests.filter((each) => /prune|policy/iu.test(each))).toEqual([])
    node.life.isAdmin = false
    expect((await at('store prune --yes')).exitCode).toBe(REFUSED)
    expect((await at('store prune --policy manual')).exitCode).toBe(REFUSED)
  })

  test('sets what is kept from now on', async () => {
    expect((await at('store prune --policy keep-days=90')).stdout).toBe(
      'the history of team (111111111111): the last 90 days are kept\n',
    )
    expect((await at('store prune --policy keep-count=1000')).stdout).toBe(
      'the history of team (111111111111): the last 1,000 intentions are kept\n',
    )
    expect(JSON.parse((await at('--json store prune --policy keep-days=7')).stdout)).toEqual({ keepDays: 7 })
    expect(asked('setPrunePolicy')[0]).toBe('store.setPrunePolicy keepDays 90')
  })
})

describe('store snapshot', () => {
  test('says what is kept once it is', async () => {
    expect((await at('store snapshot team')).stdout).toBe(
      'the state of team (111111111111) is kept at epoch 4 (e1e1e1e1e1e1): 12 rows, 24.6 kB, root 0f0f0f0f0f0f\n',
    )
    expect(JSON.parse((await at('--json store snapshot')).stdout)).toMatchObject({ seq: '4', root: toHex(idOf(0x0f)) })
  })

  test('--info tells whether nodes have come to the same, and makes nothing', async () => {
    node.history.snapshot = create(daemon.SnapshotStatusSchema, {
      state: daemon.SnapshotState.DIVERGED,
      settled: SNAPSHOT,
      making: { epoch: idOf(0xe5), done: 3n, total: 12n },
      failure: 'the disk is full',
      divergences: [{ epoch: SNAPSHOT.epoch, ownRoot: SNAPSHOT.root, others: [{ peer: OTHER, root: idOf(9) }] }],
    })
    expect((await at('store snapshot --info')).stdout).toMatchInlineSnapshot(`
      "snapshot  epoch 4 (e1e1e1e1e1e1): 12 rows, 24.6 kB, root 0f0f0f0f0f0f
      making    3 of 12 records
      failed    the disk is full; it is tried again
      DIVERGED  nas came to another state at epoch e1e1e1e1e1e1
      "
    `)
    expect(asked('makeSnapshot')).toEqual([])
  })
})

test('store status -v tells of history, epochs and snapshot, in one JSON document too', async () => {
  node.history.pruning = create(daemon.PruningStatusSchema, {
    state: daemon.PruningState.WAITING,
    epoch: idOf(0xe5),
    waitsOn: daemon.PruneWait.SETTLEMENT,
    waitsFor: [OTHER],
    base: { epoch: idOf(0xe1), seq: 3n, wall: 1_700_000_000_000n, gone: 1n },
    policy: { policy: { case: 'keepDays', value: 1 } },
  })
  node.life.epochs.push(
    create(daemon.EpochSchema, { id: idOf(0xe5), seq: 5n, cause: daemon.EpochCause.PRUNE, author: OTHER, final: true }),
  )
  const { stdout } = await at('store status -v')
  expect(stdout.split('\n\n')[1]).toMatchInlineSnapshot(`
    "history   begins with epoch 3 (e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1) of 2023-11-14 22:13:20Z, 1 intention before it is gone
    kept      the last day is kept
    pruning   waits for nas (epoch e5e5e5e5e5e5)
    snapshot  epoch 4 (e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1): 12 rows, 24.6 kB, root 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
    epoch 5   prune by nas: final"
  `)
  expect(JSON.parse((await at('--json store status -v')).stdout)).toMatchObject({
    pruning: { state: 'PRUNING_STATE_WAITING', base: { seq: '3' } },
    snapshot: { state: 'SNAPSHOT_STATE_READY' },
    epochs: [{ seq: '5', final: true }],
  })
})

describe('stranded writes', () => {
  const write = (byte: number, remedy = ''): daemon.StrandedWrite =>
    create(daemon.StrandedWriteSchema, {
      id: idOf(byte),
      wall: 1_700_000_000_000n,
      summary: remedy === '' ? '(put "k" "v")' : '(invite)',
      remedy,
    })
  const INVITE = 'make the invite again: its token admits nobody'

  test('are listed with what is to be done, and written anew with consent', async () => {
    expect((await at('store debug stranded')).stdout).toBe('nothing is stranded\n')
    node.history.stranded = [write(5), write(6, INVITE)]
    expect((await at('store debug stranded')).stdout).toMatchInlineSnapshot(`
      "ID            TIME                  WHAT           TO DO
      050505050505  2023-11-14 22:13:20Z  (put "k" "v")  resubmit
      060606060606  2023-11-14 22:13:20Z  (invite)       make the invite again: its token admits nobody
      "
    `)
    node.history.stranded = [write(5)]
    expect((await at('store resubmit')).stderr).toContain('needs your consent')
    expect(await at('store resubmit --yes')).toMatchObject({ exitCode: 0, stdout: 'submitted 1 write anew\n' })
    expect(asked('resubmit')).toEqual(['store.resubmitStranded'])
  })

  test('that are not repeated stay, with what is to be done, and the command says that it did not do all', async () => {
    node.history.stranded = [write(5), write(6, INVITE), write(7)]
    const { exitCode, stdout, stderr } = await at('store resubmit --yes')
    expect(stdout).toBe(`submitted 2 writes anew\n060606060606 stays: ${INVITE}\n`)
    expect(stderr).toContain('1 write cannot be written anew')
    expect(stderr).toContain('store resubmit --drop --only ID')
    expect(exitCode).toBe(FAILED)
    const again = await at('--json store resubmit --yes')
    const id = toHex(idOf(6))
    expect(JSON.parse(again.stdout)).toMatchObject({ ids: [], settled: [], kept: [{ id, reason: INVITE }], error: '' })
    expect(JSON.parse(again.stderr)).toMatchObject({ error: { code: 'NOT_SUPPORTED' } })
  })

  test('that were written before a failure are told of, and the failure is that of the command', async () => {
    node.history.stranded = [write(5)]
    node.history.resubmitFailure = { code: 'NOT_ADMITTED', message: 'this node may read the store alone' }
    const { exitCode, stdout, stderr } = await at('store resubmit --yes')
    expect([stdout, stderr]).toEqual(['submitted 1 write anew\n', 'error: this node may read the store alone\n'])
    expect(exitCode).toBe(REFUSED)
  })

  test('are let go with consent, all of them or some', async () => {
    node.history.stranded = [write(5), write(6, INVITE), write(7), write(8)]
    expect((await at('store resubmit --drop --only 0606 --only 070707…')).stderr).toContain('needs your consent')
    const { stdout } = await at('store resubmit --drop --yes --only 0606 --only 070707…')
    expect(stdout).toBe('dropped 2 writes\n')
    expect(asked('resubmit')).toEqual(['store.resubmitStranded drop 0606 070707'])
    expect((await at('store resubmit --only 0505 --yes')).stdout).toBe('submitted 1 write anew\n')
    expect((await at('store resubmit --drop --yes')).stdout).toBe('dropped 1 write\n')
    expect(JSON.parse((await at('--json store resubmit --drop')).stdout)).toMatchObject({ dropped: '0' })
  })
})
