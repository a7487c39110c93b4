/**
 * Random histories of membership as signed intentions: peers that admit, promote, demote, revoke and invite each other
 * again, themselves too, at the same time and after one another, mostly as honest ones would.
 *
 * A peer may not have seen most of what there is, or act as if it had not: it goes on from an early write of its own, so
 * its chain forks, and what it says then stands beside what took its right.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  compareBytes,
  compareHlc,
  createGenesis,
  createSigner,
  type Crypto,
  encodeUniversalOp,
  equalBytes,
  type Hlc,
  idKey,
  type IdKey,
  type IntentionId,
  type KnownOp,
  NO_HINTS,
  type ParsedIntention,
  parseStoreType,
  signIntention,
  type Signer,
  sortDeps,
  toSeed,
  utf8Encode,
} from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { system, weaver } from '@lattice/proto'
import type { EpochWish, MembershipHistory, MembershipRecord, Remains } from '@lattice/store-base'
import { createMembershipPolicy } from '@lattice/systemstore'

export const START_MS = 1_795_000_000_000

interface Made {
  readonly parsed: ParsedIntention
  readonly record: MembershipRecord
  readonly past: ReadonlySet<IdKey>
}

export interface MembershipPlan {
  readonly seed: number
  readonly authors: number
  readonly runs: number
}

export function signerAt(crypto: Crypto, author: number): Signer {
  return createSigner(crypto, crypto.keyPairFromSeed(toSeed(new Uint8Array(32).fill(11 + author))))
}

const { Role, PeerStatus } = system
const ROLES = [Role.ADMIN, Role.ADMIN, Role.WRITER, Role.READER] as const
const REMAINS = ['none', 'none', 'reader', 'writer'] as const
const ROLE_LEFT = { none: Role.UNSPECIFIED, reader: Role.READER, writer: Role.WRITER } as const

/** In a causal order; the genesis first. */
export function drawMembership(crypto: Crypto, plan: MembershipPlan): readonly ParsedIntention[] {
  return new Drawing(crypto, plan).draw()
}

export interface MembershipScene {
  readonly all: () => readonly ParsedIntention[]
  /** What an author writes after its last, having seen these. */
  readonly write: (author: number, op: KnownOp | string, seen: readonly ParsedIntention[]) => ParsedIntention
  readonly admit: (peer: number, role: 'admin' | 'writer') => KnownOp
  /** As the first epoch, after which the creator and a writer are left: authors 0 and 3. */
  readonly remove: (peer: number) => KnownOp
}

/** A history by hand; author 0 made the store. */
export function createMembershipHistory(crypto: Crypto): MembershipScene {
  const drawing = new Drawing(crypto, { seed: 1, authors: 5, runs: 0 })
  const made = new Map([...drawing.begin()].map((each) => [each.parsed, each] as const))
  return {
    all: () => [...made.keys()],
    write: (author, op, seen) => {
      const known = typeof op === 'string' ? ({ kind: 'appData', schema: 1, value: utf8Encode(op) } as const) : op
      const next = drawing.write(author, known, { seen: seen.flatMap((each) => made.get(each) ?? []), close: true })
      made.set(next.parsed, next)
      return next.parsed
    },
    admit: (peer, role) => drawing.admit(peer, role === 'admin' ? Role.ADMIN : Role.WRITER),
    remove: (peer) => {
      const removals = [{ peer: signerAt(crypto, peer).publicKey, remains: 'none' as const }]
      const requiredAcks = [signerAt(crypto, 3).publicKey]
      const cause = { cause: causeOf({ kind: 'membership', removals }) }
      return { kind: 'epoch', schema: 0, value: create(weaver.EpochOpSchema, { requiredAcks, cause }) }
    },
  }
}

class Drawing {
  readonly #crypto: Crypto
  readonly #plan: MembershipPlan
  readonly #random: ReturnType<typeof createSeededRandom>
  readonly #signers: readonly Signer[]
  readonly #policy = createMembershipPolicy()
  readonly #made: Made[] = []
  /** Of each author, the last of its own branch. */
  readonly #ends = new Map<number, Made>()

  constructor(crypto: Crypto, plan: MembershipPlan) {
    this.#crypto = crypto
    this.#plan = plan
    this.#random = createSeededRandom(plan.seed)
    this.#signers = Array.from({ length: plan.authors }, (_, author) => signerAt(crypto, author))
  }

  /** The genesis. */
  begin(): readonly Made[] {
    const storeType = parseStoreType('test:membership')
    if (!storeType.ok) throw new Error('the type is one')
    const genesis = createGenesis(this.#crypto, this.#signer(0), {
      storeType: storeType.value,
      nonce: new Uint8Array(16).fill(1),
      timestamp: { wall: START_MS, counter: 0 },
    })
    this.#keep(0, genesis, [])
    return this.#made
  }

  draw(): readonly ParsedIntention[] {
    this.begin()
    for (const peer of [1, 2]) this.write(0, this.admit(peer, Role.ADMIN), { seen: [], close: true })
    for (let count = 0; count < this.#plan.runs; count += 1) this.#drawRun(this.#random.below(this.#plan.authors))
    return this.#made.map(({ parsed }) => parsed)
  }

  #drawRun(author: number): void {
    const own = this.#made.filter(({ record }) => equalBytes(record.author, this.#signer(author).publicKey))
    // Back-dated: it goes on from what it wrote before, as if it had seen nothing since.
    if (own.length > 0 && this.#random.below(6) === 0) this.#ends.set(author, this.#pick(own))
    const admissions = this.#made.filter(({ parsed: { op } }) => this.#admits(op, author))
    if (!this.#ends.has(author) && admissions.length === 0) return
    const length = 1 + this.#random.below(3)
    for (let index = 0; index < length; index += 1) {
      const seen: Made[] = []
      // A hostile one says nothing of what admitted it.
      const isShy = this.#random.below(3) === 0
      if (!this.#ends.has(author) && !isShy) seen.push(this.#pick(admissions))
      if (this.#random.below(4) === 0) seen.push(...this.#made.slice(-6))
      for (let count = this.#random.below(3); count > 0; count -= 1) seen.push(this.#pick(this.#made))
      const close = index === length - 1
      if (this.#random.below(3) > 0) this.write(author, this.#drawOp(author), { seen, close })
      else if (this.#writeEpoch(author, seen)) return
    }
  }

  #drawOp(author: number): KnownOp {
    const peer = this.#random.below(this.#plan.authors)
    switch (this.#random.below(8)) {
      case 0:
      case 1:
        return this.admit(peer, this.#pick(ROLES))
      case 2:
        return this.#ofPeer(peer, { case: 'setRole', value: this.#pick(ROLES) })
      case 3: {
        const status = this.#pick([PeerStatus.DORMANT, PeerStatus.ACTIVE])
        return this.#ofPeer(this.#random.below(2) === 0 ? author : peer, { case: 'setStatus', value: status })
      }
      default:
        return { kind: 'appData', schema: 1, value: utf8Encode(`k${this.#random.below(6)}`) }
    }
  }

  /** Answers whether there is one: it ends a run. */
  #writeEpoch(author: number, seen: readonly Made[]): boolean {
    const { prev, cited } = this.#causes(author, seen)
    const causes = [prev, ...cited]
    const past = new Set(causes.flatMap(({ parsed, past: before }) => [idKey(parsed.id), ...before]))
    const history = this.#history(this.#made.filter(({ parsed }) => past.has(idKey(parsed.id))))
    const wish = this.#wish()
    const { publicKey } = this.#signer(author)
    const permission = this.#policy.permit(history, publicKey, wish)
    // A hostile one makes some that are none.
    if (permission.kind === 'refused' && this.#random.below(6) > 0) return false
    const view = this.#policy.resolve(history)
    const seq = history.records.reduce((next, { id, op }) => {
      const isOne = op.kind === 'epoch' && [undefined, 'outranked'].includes(view.faultOf(id))
      return isOne && op.value.seq >= next ? op.value.seq + 1n : next
    }, 0n)
    const requiredAcks = permission.kind === 'allowed' ? [...permission.requiredAcks] : []
    const value = create(weaver.EpochOpSchema, { seq, requiredAcks, cause: { cause: causeOf(wish) } })
    this.write(author, { kind: 'epoch', schema: 0, value }, { seen, close: true })
    return true
  }

  #wish(): EpochWish {
    if (this.#random.below(8) === 0) return { kind: this.#pick(['prune', 'join_of_epochs', 'initial'] as const) }
    const peers = new Set([this.#random.below(this.#plan.authors)])
    if (this.#random.below(5) === 0) peers.add(this.#random.below(this.#plan.authors))
    const remains: Remains = this.#pick(REMAINS)
    return {
      kind: 'membership',
      removals: [...peers].map((peer) => ({ peer: this.#signer(peer).publicKey, remains })),
    }
  }

  write(
    author: number,
    op: KnownOp,
    { seen, close }: { readonly seen: readonly Made[]; readonly close: boolean },
  ): Made {
    const { prev, cited } = this.#causes(author, seen)
    const causes = [prev, ...cited]
    let newest = prev.record.timestamp
    for (const { record } of causes) if (compareHlc(record.timestamp, newest) > 0) newest = record.timestamp
    const timestamp: Hlc = { wall: newest.wall, counter: newest.counter + 1 + this.#random.below(3) }
    const parsed = signIntention(this.#crypto, this.#signer(author), {
      intention: {
        author: this.#signer(author).publicKey,
        timestamp,
        storePrev: prev.parsed.id,
        causalDeps: sortDeps(causes.map(({ parsed: { id } }) => id)),
        hints: NO_HINTS,
        ops: encodeUniversalOp(op),
      },
      close: close || op.kind === 'epoch',
    })
    return this.#keep(author, parsed, causes)
  }

  /** What lies below an epoch of the chain's past is not cited. */
  #causes(author: number, seen: readonly Made[]): { readonly prev: Made; readonly cited: readonly Made[] } {
    const prev = this.#ends.get(author) ?? this.#first()
    const isEpoch = ({ parsed: { op } }: Made): boolean => op.kind === 'epoch'
    const epochs = this.#made.filter((each) => isEpoch(each) && (each === prev || prev.past.has(idKey(each.parsed.id))))
    const cited = seen.filter(({ parsed: { id } }) => !epochs.some(({ past }) => past.has(idKey(id))))
    return { prev, cited }
  }

  #keep(author: number, parsed: ParsedIntention, causes: readonly Made[]): Made {
    const { id, intention, op } = parsed
    const generation = causes.reduce((most, { record }) => Math.max(most, record.generation + 1), 0)
    const record = { id, author: intention.author, timestamp: intention.timestamp, generation, op }
    const past = new Set(causes.flatMap((cause) => [idKey(cause.parsed.id), ...cause.past]))
    const made = { parsed, record, past }
    this.#made.push(made)
    this.#ends.set(author, made)
    return made
  }

  #history(made: readonly Made[]): MembershipHistory {
    const byId = new Map(made.map((each) => [idKey(each.parsed.id), each]))
    const records = made.map(({ record }) => record).filter(({ op }) => this.#policy.isRecord(op))
    return {
      records: records.sort((a, b) => a.generation - b.generation || compareBytes(a.id, b.id)),
      follows: (id: IntentionId, ancestor: IntentionId) => byId.get(idKey(id))?.past.has(idKey(ancestor)) === true,
    }
  }

  admit(peer: number, role: system.Role): KnownOp {
    const value = create(system.PeerAdmitSchema, { status: PeerStatus.ACTIVE, role, addedAt: 1n })
    return this.#ofPeer(peer, { case: 'admit', value })
  }

  #ofPeer(peer: number, op: system.PeerOp['op']): KnownOp {
    const about = create(system.PeerOpSchema, { peer: this.#signer(peer).publicKey, op })
    const value = create(system.SystemOpSchema, { op: { case: 'peer', value: about } })
    return { kind: 'system', schema: 0, value }
  }

  #admits(op: ParsedIntention['op'], peer: number): boolean {
    if (op.kind !== 'system' || op.value.op.case !== 'peer') return false
    const { peer: key, op: inner } = op.value.op.value
    if (!equalBytes(key, this.#signer(peer).publicKey)) return false
    return inner.case === 'admit' && inner.value.role >= Role.WRITER
  }

  #first(): Made {
    const [first] = this.#made
    if (first === undefined) throw new Error('a history begins with its genesis')
    return first
  }

  #signer(author: number): Signer {
    const signer = this.#signers[author]
    if (signer === undefined) throw new Error('an author has a key')
    return signer
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#random.below(items.length)]
    if (item === undefined) throw new Error('there is something to choose')
    return item
  }
}

function causeOf(wish: EpochWish): weaver.EpochCause['cause'] {
  switch (wish.kind) {
    case 'initial':
      return { case: 'initial', value: create(weaver.InitialCauseSchema) }
    case 'prune':
      return { case: 'prune', value: create(weaver.PruneCauseSchema) }
    case 'join_of_epochs':
      return { case: 'joinOfEpochs', value: create(weaver.JoinOfEpochsCauseSchema) }
    case 'membership': {
      const removals = wish.removals
        .toSorted((a, b) => compareBytes(a.peer, b.peer))
        .map(({ peer, remains }) => create(weaver.RemovalSchema, { peer, remains: ROLE_LEFT[remains] }))
      return { case: 'membership', value: create(weaver.MembershipCauseSchema, { removals }) }
    }
    case 'parent':
    case 'set_aside':
      throw new Error('a store with peers of its own follows no parent')
  }
}
