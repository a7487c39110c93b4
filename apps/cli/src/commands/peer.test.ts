import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { toHex } from '@lattice/model'
import { daemon, system } from '@lattice/proto'
import { beforeEach, describe, expect, test } from 'vitest'
import { OTHER, SELF } from '../../test/fake-life.ts'
import { createFakeNode, type FakeNode, idOf } from '../../test/fake-node.ts'
import { type Ran, run, type RunOptions } from '../../test/fake-process.ts'

const REFUSED = 5
/** When the fake process looks at its clock. */
const NOW = 1_700_000_060_000n
let node: FakeNode

beforeEach(() => {
  node = createFakeNode(['team'])
})

const at = (line: string, options: RunOptions = {}): Promise<Ran> => run(line.split(' '), { ...node, ...options })

function invited(fields: Partial<Omit<daemon.InviteInfo, '$typeName'>>): daemon.InviteInfo {
  const invite = create(daemon.InviteInfoSchema, {
    tokenHash: idOf(3),
    status: system.InviteStatus.OPEN,
    role: system.Role.WRITER,
    expiresAt: NOW + 1n,
    usesLeft: 2,
    invitedBy: SELF,
    ...fields,
  })
  node.life.invites.push(invite)
  return invite
}

describe('invites', () => {
  test('are listed with what they are good for now, and who joined by name', async () => {
    invited({ claimedBy: [OTHER, idOf(0x77)] })
    invited({ tokenHash: idOf(4), expiresAt: NOW })
    invited({ tokenHash: idOf(5), status: system.InviteStatus.CANCELLED })
    invited({ tokenHash: idOf(6), status: system.InviteStatus.CLAIMED, usesLeft: 0 })
    expect((await at('peer invites')).stdout).toMatchInlineSnapshot(`
      "INVITE        STATUS     ROLE    USES LEFT  EXPIRES               CLAIMED BY
      030303030303  open       writer          2  2023-11-14 22:14:20Z  nas, 777777777777
      040404040404  expired    writer          –  2023-11-14 22:14:20Z
      050505050505  cancelled  writer          –  2023-11-14 22:14:20Z
      060606060606  used up    writer          –  2023-11-14 22:14:20Z
      "
    `)
    const { invites } = JSON.parse((await at('--json peer invites')).stdout) as { readonly invites: readonly object[] }
    expect(invites[0]).toMatchObject({ tokenHash: toHex(idOf(3)), claimedBy: [toHex(OTHER), toHex(idOf(0x77))] })
  })

  test('are cancelled by the beginning of their hash', async () => {
    const invite = invited({ claimedBy: [OTHER] })
    const { exitCode, stdout } = await at('peer cancel-invite 0303')
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'cancelled invite 030303030303: 1 peer that joined with it stays\n',
    })
    expect(invite.status).toBe(system.InviteStatus.CANCELLED)
    expect((await at('peer cancel-invite 0303')).exitCode).toBe(1)
    expect((await at('peer cancel-invite ffff')).exitCode).toBe(3)
    expect((await at('peer cancel-invite')).exitCode).toBe(2)
    node.life.isAdmin = false
    expect((await at('peer cancel-invite 0303')).exitCode).toBe(REFUSED)
  })
})

describe('a QR code', () => {
  const BLOCKS = /^[ █▀▄]+$/u

  test('goes to stderr, so that stdout is the token alone', async () => {
    const { exitCode, stdout, stderr } = await at('peer invite --qr')
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'lattice1good\n' })
    expect(stderr.split('\n').filter((line) => BLOCKS.test(line)).length).toBeGreaterThan(10)
  })

  test('leaves one JSON document on stdout', async () => {
    const { stdout, stderr } = await at('--json peer invite --qr')
    expect(JSON.parse(stdout)).toMatchObject({ token: 'lattice1good' })
    expect(stderr).toContain('█')
  })

  test('is black on white where there are colours, and none where they are not wanted', async () => {
    expect((await at('peer invite --qr', { isTerminal: true })).stderr).toContain('48;5;231m')
    const plain = await at('peer invite --qr', { isTerminal: true, env: { NO_COLOR: '1' } })
    expect(plain.stderr).toContain('█')
    expect(plain.stderr).not.toContain('\u001B[')
  })

  test('that the terminal has no room for is not drawn, and the token is good all the same', async () => {
    const { exitCode, stdout, stderr } = await at('peer invite --qr', { isTerminal: true, columns: 20 })
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'lattice1good\n' })
    expect(stderr).toContain('no QR code: it takes 29 columns and the terminal has 20')
    expect(stderr).not.toContain('█')
  })
})

describe('peers', () => {
  test('are given another role, by name or key', async () => {
    expect(await at('peer role nas admin')).toMatchObject({
      exitCode: 0,
      stdout: 'peer nas (cdcdcdcdcdcd) is now an admin\n',
    })
    expect(await at('peer role cdcd reader')).toMatchObject({
      exitCode: 0,
      stdout: 'peer nas (cdcdcdcdcdcd) is now a reader\n',
    })
    expect((await at('peer role nobody admin')).exitCode).toBe(3)
    expect((await at('peer role nas king')).exitCode).toBe(2)
    expect((await at('peer role nas')).exitCode).toBe(2)
    const { stdout } = await at('--json peer role nas ADMIN')
    expect(JSON.parse(stdout)).toMatchObject({ publicKey: toHex(OTHER), role: 'ROLE_ADMIN' })
  })

  test('are marked as away, and as back', async () => {
    expect((await at('peer dormant nas')).stdout).toBe(
      'peer nas (cdcdcdcdcdcd) is dormant: nobody waits for it until it is back\n',
    )
    expect((await at('peer list')).stdout).toContain('dormant')
    expect((await at('peer dormant nas --back')).stdout).toBe('peer nas (cdcdcdcdcdcd) is active again\n')
    expect(node.life.peers.at(-1)?.status).toBe(system.PeerStatus.ACTIVE)
  })

  test('are named; one word names this node', async () => {
    expect((await at('peer set-name cdcd archive')).stdout).toBe('peer cdcdcdcdcdcd is now called archive here\n')
    expect((await at('peer set-name desk')).stdout).toBe('this node is now called desk here\n')
    expect(node.requests.filter((each) => each.startsWith('store.setPeerName'))).toEqual([
      'store.setPeerName cdcd archive',
      'store.setPeerName  desk',
    ])
    expect((await at('peer set-name')).exitCode).toBe(2)
  })
})

describe('revoking', () => {
  test('says the epoch and who has to acknowledge it', async () => {
    expect(await at('peer revoke nas --yes')).toMatchObject({
      exitCode: 0,
      stdout: 'peer nas is revoked by epoch 1 (eeeeeeeeeeee): 0 of 1 peer has acknowledged it, waiting for nas\n',
    })
    expect((await at('peer revoke nas --yes')).exitCode).toBe(1)
    expect((await at('store debug epochs')).stdout).toMatchInlineSnapshot(`
      "SEQ  EPOCH         FOR          BY      TIME                  STATE
        1  eeeeeeeeeeee  revoked nas  laptop  2023-11-14 22:13:20Z  waiting for nas
      "
    `)
    expect((await at('store debug excluded')).stdout).toBe('nothing is excluded\n')
  })

  test('is among the epochs, of which as many are listed as are asked for, whatever one reply holds', async () => {
    await at('peer revoke nas --yes')
    const [epoch = create(daemon.EpochSchema)] = node.life.epochs
    for (let seq = 2n; seq <= 5n; seq += 1n) node.life.epochs.unshift({ ...epoch, seq })
    const seqsOf = async (line: string): Promise<readonly string[]> =>
      (await at(line)).stdout.split('\n').flatMap((row) => row.match(/^ +(\d) /u)?.[1] ?? [])
    expect(await seqsOf('store debug epochs')).toEqual(['5', '4', '3', '2', '1'])
    expect(await seqsOf('store debug epochs -n 3')).toEqual(['5', '4', '3'])
    expect((await at('store debug epochs -n 3')).stdout).toContain('3 of 5')
    expect(JSON.parse((await at('--json store debug epochs -n 4')).stdout)).toMatchObject({ total: '5' })
  })

  test('lists what it cut, as much as is asked for, whatever one reply holds', async () => {
    for (let n = 0; n < 5; n += 1) {
      node.life.excluded.push(create(daemon.ExcludedEntrySchema, { id: idOf(n), author: OTHER, summary: `write ${n}` }))
    }
    const { stdout } = await at('store debug excluded -n 5')
    for (let n = 0; n < 5; n += 1) expect(stdout).toContain(`write ${n}`)
    expect(stdout).not.toContain('there are more')
    expect((await at('store debug excluded -n 4')).stdout).toMatch(/write 3\nthere are more: ask for more with -n\n$/u)
    const { entries } = JSON.parse((await at('--json store debug excluded -n 2000')).stdout) as {
      readonly entries: readonly object[]
    }
    expect(entries).toHaveLength(5)
  })

  test('waits until it is settled where that is wanted, and tells who is waited for', async () => {
    const { exitCode, stdout, stderr } = await at('peer revoke nas --yes --wait')
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'peer nas is revoked by epoch 1 (eeeeeeeeeeee): 1 of 1 peer has acknowledged it, it is settled\n',
    })
    expect(stderr).toContain('waiting for nas')
  })

  test('that comes to nothing is not waited for any more, and says what happened', async () => {
    node.life.followed.push({ waitingFor: [], fault: 'outranked' })
    expect(await at('peer revoke nas --yes --wait')).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `0 of 1 peer has acknowledged it, waiting for nas
error: the revocation of nas has no effect: a senior admin took the rights of its author at the same time (epoch 1, eeeeeeeeeeee)
hint: 'peer list' shows who is an admin now: one of them can do it again
`,
    })
    for (const peer of node.life.peers) peer.status = system.PeerStatus.ACTIVE
    const { exitCode, stdout, stderr } = await at('--json peer revoke nas --yes --wait')
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ epoch: { fault: 'outranked', settled: false, waitingFor: [] } })
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'WRONG_STATE', detail: { fault: 'outranked' } } })
  })

  test('is waited for while it may come to count', async () => {
    const unknown = { waitingFor: [], fault: 'parent_unknown', mayCount: true }
    node.life.followed.push(unknown, { acked: [OTHER], waitingFor: [], settled: true })
    const { exitCode, stderr } = await at('peer revoke nas --yes --wait')
    expect(exitCode).toBe(0)
    expect(stderr).toContain('it has no effect as yet: what it follows in the store above is not here\n')
  })

  test('is one JSON document', async () => {
    const answer: unknown = JSON.parse((await at('--json peer revoke nas --yes')).stdout)
    expect(answer).toMatchObject({
      peer: { publicKey: toHex(OTHER), status: 'PEER_STATUS_REVOKED' },
      epoch: {
        cause: 'EPOCH_CAUSE_MEMBERSHIP',
        removals: [{ peer: toHex(OTHER), remains: 'ROLE_UNSPECIFIED' }],
        waitingFor: [toHex(OTHER)],
        settled: false,
      },
    })
  })

  test('of this node is asked for by --self, and takes no other words', async () => {
    expect((await at('peer revoke --self --yes --force')).stdout).toContain('this node is revoked')
    expect(node.requests.filter((each) => each.startsWith('store.revokePeer'))).toEqual(['store.revokePeer self force'])
    for (const line of [
      'peer revoke',
      'peer revoke nas --self',
      'peer revoke nas --force',
      'peer revoke --self --wait',
    ]) {
      expect((await at(`${line} --yes`)).exitCode).toBe(2)
    }
  })

  test('needs consent', async () => {
    expect((await at('peer revoke nas')).stderr).toContain('needs your consent')
    expect(node.requests.filter((each) => each.startsWith('store.revokePeer'))).toEqual([])
    node.life.isAdmin = false
    expect((await at('peer revoke nas --yes')).exitCode).toBe(REFUSED)
  })
})

type ConductInit = Omit<MessageInitShape<typeof daemon.PeerConductSchema>, '$typeName' | '$unknown'>

describe('a peer that is held to its bounds', () => {
  const conduct = (fields: ConductInit): void => {
    const nas = node.life.peers.at(-1)
    if (nas !== undefined) nas.conduct = create(daemon.PeerConductSchema, fields)
  }

  test.each<[ConductInit, string, readonly string[]]>([
    [{ standing: daemon.PeerStanding.GOOD, score: 12, drained: ['ranges'] }, 'active', ['ranges']],
    [{ standing: daemon.PeerStanding.MUTED, score: 57 }, 'active, not served', []],
    [{ standing: daemon.PeerStanding.SHUT_OUT, shutOutForMs: 12_000n }, 'active, shut out for 12.0 s', []],
  ])('is listed as what it is (%#)', async (fields, status, drained) => {
    conduct({ ...fields, heldBytes: 5n, misbehaviour: 'overuse_ranges' })
    const { stdout } = await at('peer list')
    const line = stdout.split('\n').find((each) => each.includes('nas'))
    expect(line?.split(/ {2,}/u)[4]).toBe(status)
    const { peers } = JSON.parse((await at('--json peer list')).stdout) as { readonly peers: readonly object[] }
    expect(peers.at(-1)).toMatchObject({
      conduct: {
        score: fields.score ?? 0,
        shutOutForMs: String(fields.shutOutForMs ?? 0n),
        drained,
        heldBytes: '5',
        misbehaviour: 'overuse_ranges',
      },
    })
  })

  test('has no role once it is revoked', async () => {
    const nas = node.life.peers.at(-1)
    if (nas === undefined) expect.unreachable()
    Object.assign(nas, { role: system.Role.UNSPECIFIED, status: system.PeerStatus.REVOKED })
    const { stdout } = await at('peer list')
    expect(stdout).toMatch(/nas +none +revoked/)
  })

  test('is shown whole, as JSON and as a table', async () => {
    conduct({ standing: daemon.PeerStanding.SHUT_OUT, shutOutForMs: 12_000n, misbehaviour: 'frame_malformed' })
    expect((await at('peer list')).stdout).toMatchInlineSnapshot(`
      "   PEER          NAME    ROLE    STATUS                       SEEN       LAG
      ●  abababababab  laptop  admin   active                       this node
      ○  cdcdcdcdcdcd  nas     writer  active, shut out for 12.0 s  1 min ago  not known
      "
    `)
    const { peers } = JSON.parse((await at('--json peer list')).stdout) as { readonly peers: readonly object[] }
    expect(peers.at(-1)).toMatchInlineSnapshot(`
      {
        "addedAt": "0",
        "addedBy": "",
        "conduct": {
          "drained": [],
          "heldBytes": "0",
          "misbehaviour": "frame_malformed",
          "score": 0,
          "shutOutForMs": "12000",
          "standing": "PEER_STANDING_SHUT_OUT",
        },
        "connected": false,
        "forkJoined": false,
        "forked": false,
        "lastSeen": "1700000000000",
        "name": "nas",
        "online": false,
        "publicKey": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
        "role": "ROLE_WRITER",
        "self": false,
        "status": "PEER_STATUS_ACTIVE",
        "sync": "PEER_SYNC_UNSPECIFIED",
      }
    `)
  })
})
