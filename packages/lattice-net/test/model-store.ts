/**
 * The simplest honest replica: real intentions, real signatures, causal order, all in memory.
 *
 * @module
 */
import {
  assert,
  type Cancel,
  type Clock,
  compareBytes,
  compareHlc,
  createHlc,
  type Crypto,
  encodeUniversalOp,
  encodeWitnessContent,
  equalBytes,
  type IdKey,
  idKey,
  idKeyBytes,
  type IngestOutcome,
  type IntentionId,
  isGenesis,
  isSigned,
  type ParsedIntention,
  parseSignedIntention,
  type PublicKey,
  type Signer,
  signIntention,
  signWitness,
  sortDeps,
  type SignedIntention,
  type StoreId,
  toIntentionId,
  toWitnessSeq,
  verifyParsed,
  witnessHash,
  type WitnessRecord,
  ZERO_HASH,
  causesOf,
  closedBy,
  type Hash,
} from '@lattice/model'
import type { PeerAccess, RemovalProof, ReplicatedStore, WitnessedBatch } from '@lattice/net-types'
import { addInto, createMemoryRangeIndex } from '@lattice/sync'
import { createModelBase, type ModelBase } from './model-base.ts'

export interface ModelStore extends ReplicatedStore, Pick<ModelBase, 'declare' | 'prune' | 'setSnapshot' | 'found'> {
  /** Writes one run of `count` intentions with `bytes` of payload each. */
  readonly write: (count: number, bytes?: number) => readonly ParsedIntention[]
  readonly ids: () => readonly IntentionId[]
  readonly floatingCount: () => number
  readonly setAccess: (access: (peer: PublicKey) => PeerAccess) => void
  /** These are the epoch heads as soon as they are here, and what removed whoever is `revoked`. */
  readonly setEpochs: (epochs: readonly ParsedIntention[], settled: boolean) => void
  /** Whoever is revoked is so below a cut. */
  readonly cutAbove: () => void
  /** This node was admitted again by a record that is here. */
  readonly setReadmission: (readmission: { readonly by: PublicKey; readonly record: IntentionId } | undefined) => void
  /** What the log records of an intention. */
  readonly get: (id: IntentionId) => ParsedIntention | undefined
  readonly recordsFrom: (seq: number) => readonly WitnessRecord[]
  /** With which foundation others are shown that they were removed, and what takes in one that is shown here. */
  readonly setRemoval: (removal: {
    readonly foundation: IntentionId | undefined
    readonly openProof?: () => RemovalProof | undefined
  }) => void
  /** Number of ingest calls, and of intentions in them. */
  readonly ingested: () => { readonly calls: number; readonly intentions: number }
  /** Runs before each ingest: a slow or failing disk. */
  beforeIngest: () => Promise<void>
}

interface Witnessed {
  readonly parsed: ParsedIntention
  readonly seq: number
}

export interface ModelStoreOptions {
  readonly crypto: Crypto
  readonly signer: Signer
  readonly clock: Clock
  readonly storeId: StoreId
  /** Already held; a joiner starts without. */
  readonly genesis?: ParsedIntention
  readonly storeType?: string
}

export function createModelStore({ crypto, signer, clock, storeId, genesis }: ModelStoreOptions): ModelStore {
  const hlc = createHlc({ clock })
  const witnessed = new Map<IdKey, Witnessed>()
  // By store_prev; the authors here do not fork, and a genesis is signed.
  const successors = new Map<IdKey, Witnessed>()
  // By author, as long as the author did not fork.
  const chains = new Map<IdKey, ParsedIntention[]>()
  const forked = new Set<IdKey>()
  const log: WitnessRecord[] = []
  const floating = new Map<IdKey, ParsedIntention>()
  const authentic = new Set<IdKey>()
  let fingerprint = new Uint8Array(32)
  const listeners = new Set<(batch: WitnessedBatch) => void>()
  const tips = new Map<IdKey, ParsedIntention>()
  let lastHash: Hash = ZERO_HASH
  let access: (peer: PublicKey) => PeerAccess = () => 'full'
  let epochs: readonly ParsedIntention[] = []
  let isSettled = true
  let isOutForGood = false
  let removal: Parameters<ModelStore['setRemoval']>[0] = { foundation: undefined }
  let readmission: Parameters<ModelStore['setReadmission']>[0]
  let calls = 0
  let intentionsIn = 0

  function witness(group: readonly ParsedIntention[]): void {
    group.forEach((parsed, index) => {
      const seq = log.length + 1
      const content = encodeWitnessContent({
        storeId,
        seq: toWitnessSeq(seq),
        intentionId: parsed.id,
        wallTime: clock.wallMs(),
        prevHash: lastHash,
      })
      lastHash = witnessHash(crypto, content)
      const last = index === group.length - 1
      log.push(last ? signWitness(crypto, signer, content) : { content, signature: new Uint8Array(0) })
      witnessed.set(idKey(parsed.id), { parsed, seq })
      successors.set(idKey(parsed.intention.storePrev), { parsed, seq })
      enter(parsed)
      addInto(fingerprint, parsed.id)
      tips.set(idKey(parsed.intention.author), parsed)
      hlc.observe(parsed.intention.timestamp)
    })
  }
  function enter(parsed: ParsedIntention): void {
    const { author, storePrev } = parsed.intention
    const chain = chains.get(idKey(author)) ?? []
    chains.set(idKey(author), chain)
    const last = chain.at(-1)?.id
    if (last === undefined || equalBytes(last, storePrev)) chain.push(parsed)
    else forked.add(idKey(author))
  }
  /** These and all in their past, as far as it is here. */
  function pastOf(ids: readonly IntentionId[]): ReadonlySet<IdKey> {
    const past = new Set<IdKey>()
    for (const open = ids.map(idKey); open.length > 0;) {
      const key = open.pop()
      const found = key === undefined ? undefined : witnessed.get(key)
      if (key === undefined || found === undefined || past.has(key)) continue
      past.add(key)
      if (!isGenesis(found.parsed.intention)) open.push(...causesOf(found.parsed.intention).map(idKey))
    }
    return past
  }
  const base = createModelBase({
    crypto,
    witnessed,
    chains,
    pastOf,
    digest: () => store.digest(),
    onCut: () => {
      fingerprint = sumOf(witnessed.keys())
    },
  })
  const isKnown = (id: Uint8Array): boolean => witnessed.has(idKey(id)) || base.isAnchor(idKey(id))
  const causesKnown = (parsed: ParsedIntention): boolean =>
    isGenesis(parsed.intention) ? equalBytes(parsed.id, storeId) : causesOf(parsed.intention).every(isKnown)

  function cascade(): ParsedIntention[] {
    const ready: ParsedIntention[] = []
    for (let found = true; found;) {
      found = false
      for (const [key, parsed] of floating) {
        if (witnessed.has(key)) floating.delete(key)
        if (witnessed.has(key) || !authentic.has(key) || !causesKnown(parsed)) continue
        floating.delete(key)
        // Witnessed one by one, so that the next finds its causes.
        witnessed.set(key, { parsed, seq: 0 })
        ready.push(parsed)
        found = true
      }
    }
    return ready
  }

  function take(signed: SignedIntention): IngestOutcome | ParsedIntention {
    const parsed = parseSignedIntention(crypto, signed)
    if (!parsed.ok) return { kind: 'invalid', code: parsed.error.code, id: undefined }
    const { value } = parsed
    const key = idKey(value.id)
    if (witnessed.has(key)) return { kind: 'duplicate', id: value.id }
    if (isSigned(value) && !verifyParsed(crypto, value)) return { kind: 'invalid', code: 'bad_signature', id: value.id }
    if (isGenesis(value.intention) && !equalBytes(value.id, storeId)) {
      return { kind: 'invalid', code: 'foreign_genesis', id: value.id }
    }
    const tooEarly = causesOf(value.intention).some((cause) => {
      const known = witnessed.get(idKey(cause))
      return known !== undefined && compareHlc(known.parsed.intention.timestamp, value.intention.timestamp) >= 0
    })
    if (tooEarly) return { kind: 'invalid', code: 'timestamp_not_after_cause', id: value.id }
    floating.set(key, value)
    return value
  }

  // An author's first has position 1, but for the genesis, which has 0.
  const firstOf = (chain: readonly ParsedIntention[]): number =>
    chain[0] !== undefined && isGenesis(chain[0].intention) ? 0 : 1

  const store: ModelStore = {
    ...base,
    id: storeId,
    storeType: 'test:model',
    digest: () => ({
      witnessCount: witnessed.size,
      fingerprint: fingerprint.slice(),
      epochHeads: epochs.map(({ id }) => id).filter(isKnown),
      settledSeq: 0,
      tipsDigest: crypto.blake3(
        ...[...tips.values()].map((tip) => tip.id).sort((a, b) => (idKey(a) < idKey(b) ? -1 : 1)),
      ),
    }),
    access: (peer) => access(peer),
    revokedBy: (peer) => (access(peer) === 'revoked' ? epochs.map(({ id }) => id) : []),
    recordsAbout: (peer) => [
      ...(readmission === undefined ? [] : [readmission.record]),
      ...(access(peer) === 'revoked' ? epochs.map(({ id }) => id) : []),
    ],
    readmittedBy: () => (readmission === undefined ? [] : [readmission.by]),
    setReadmission: (next) => {
      readmission = next
    },
    juniorsAgainst: () => [],
    isOutForGood: (peer) => isOutForGood && access(peer) === 'revoked',
    cutAbove: () => {
      isOutForGood = true
    },
    removalFoundation: (peer) => (access(peer) === 'revoked' ? removal.foundation : undefined),
    openRemovalProof: () => removal.openProof?.(),
    setRemoval: (next) => {
      removal = next
    },
    readPast: (of, known) => {
      const skipped = pastOf(known)
      const shown = [...pastOf(of)].filter((key) => !skipped.has(key)).flatMap((key) => witnessed.get(key) ?? [])
      const left = shown.sort((a, b) => a.seq - b.seq).map(({ parsed }) => parsed)
      return {
        next: (maxBytes) => {
          const part: ParsedIntention[] = []
          let size = 0
          for (let next = left.shift(); next !== undefined; next = left.shift()) {
            part.push(next)
            size += next.bytes.length
            if (size >= maxBytes && isSigned(next)) break
          }
          return part.map(({ bytes, signature }) => ({ bytes, signature }))
        },
      }
    },
    tipIds: (max) => [...tips.values()].slice(0, max).map(({ id }) => id),
    isEpochSettled: () => isSettled,
    setEpochs: (next, settled) => {
      epochs = next
      isSettled = settled
    },
    setAccess: (next) => {
      access = next
    },
    rangeIndex: () =>
      createMemoryRangeIndex(
        [...witnessed.values()].map(({ parsed }) => ({ timestamp: parsed.intention.timestamp.wall, id: parsed.id })),
      ),
    missing: (ids) => ids.filter((id) => !isKnown(id)),
    wanted: (ids) => ids.filter((id) => !isKnown(id)),
    read: (ids, maxBytes) => {
      const found = [...new Set(ids.map(idKey))]
        .flatMap((key) => witnessed.get(key) ?? [])
        .sort((a, b) => a.seq - b.seq)
      const included = new Map<number, ParsedIntention>()
      let bytes = 0
      for (const { parsed, seq } of found) {
        if (included.has(seq)) continue
        if (included.size > 0 && bytes >= maxBytes) break
        // With an intention come those that close its run, asked for or not.
        for (let member: Witnessed | undefined = { parsed, seq }; member !== undefined;) {
          if (!included.has(member.seq)) bytes += member.parsed.bytes.length
          included.set(member.seq, member.parsed)
          member = isSigned(member.parsed) ? undefined : successors.get(idKey(member.parsed.id))
        }
      }
      const intentions = [...included]
        .sort(([a], [b]) => a - b)
        .map(([, { bytes: b, signature }]) => ({ bytes: b, signature }))
      return { intentions, rest: found.filter(({ seq }) => !included.has(seq)).map(({ parsed }) => parsed.id) }
    },
    tipOf: (author) => tips.get(idKey(author))?.id,
    readChain: (target, since, limit) => {
      const chain: SignedIntention[] = []
      let next: Uint8Array = target
      while (chain.length < limit && !(since !== undefined && equalBytes(next, since))) {
        const known = witnessed.get(idKey(next))
        if (known === undefined) break
        chain.unshift({ bytes: known.parsed.bytes, signature: known.parsed.signature })
        next = known.parsed.intention.storePrev
      }
      return chain
    },
    chainTips: (max) => {
      if (chains.size > max || forked.size > 0) return undefined
      const tips = [...chains.values()].flatMap((chain) => {
        const last = chain.at(-1)
        const position = firstOf(chain) + chain.length - 1
        return last === undefined ? [] : [{ author: last.intention.author, position, id: last.id }]
      })
      return tips.sort((x, y) => compareBytes(x.author, y.author))
    },
    chainId: (author, position) => {
      const chain = forked.has(idKey(author)) ? [] : (chains.get(idKey(author)) ?? [])
      const id = chain[position - firstOf(chain)]?.id
      return id !== undefined && isKnown(id) ? id : undefined
    },
    readSpans: (spans, maxBytes) => {
      const placed = new Map<IdKey, { readonly author: IdKey; readonly position: number }>()
      for (const { author, after, through } of spans) {
        const chain = chains.get(idKey(author)) ?? []
        for (let position = Math.max(after + 1, firstOf(chain)); position <= through; position += 1) {
          const at = chain[position - firstOf(chain)]
          if (at === undefined) break
          placed.set(idKey(at.id), { author: idKey(author), position })
        }
      }
      const { intentions, rest } = store.read(
        [...placed.keys()].map((key) => toIntentionId(idKeyBytes(key))),
        maxBytes,
      )
      const lowest = new Map<IdKey, number>()
      for (const id of rest) {
        const at = placed.get(idKey(id))
        if (at !== undefined) lowest.set(at.author, Math.min(at.position, lowest.get(at.author) ?? at.position))
      }
      const open = spans.flatMap((span) => {
        const next = lowest.get(idKey(span.author))
        return next === undefined ? [] : [{ ...span, after: next - 1 }]
      })
      return { intentions, rest: open }
    },
    witnessPage: (fromSeq, limit) => {
      if (fromSeq < base.fromSeq()) return { records: [], headSeq: log.length, isPruned: true }
      let end = Math.min(log.length, fromSeq - 1 + limit)
      while (end > fromSeq && log[end - 1]?.signature.length === 0) end -= 1
      // A group larger than the page is given whole.
      while (end < log.length && log[end - 1]?.signature.length === 0) end += 1
      const records = log.slice(fromSeq - 1, end)
      return { records, headSeq: log.length }
    },
    ingest: async (batch, source) => {
      await store.beforeIngest()
      calls += 1
      intentionsIn += batch.length
      const taken = batch.map(take)
      for (const item of floating.values()) {
        if (!isSigned(item)) continue
        authentic.add(idKey(item.id))
        for (const closed of closedBy(item, (key) => floating.get(key))) authentic.add(idKey(closed.id))
      }
      const ready = cascade()
      if (ready.length > 0) witness(ready)
      const outcomes = taken.map((item): IngestOutcome => {
        if ('kind' in item) return item
        if (isKnown(item.id)) return { kind: 'witnessed', id: item.id }
        const missing = causesOf(item.intention).filter(
          (id) => !isKnown(id) && !floating.has(idKey(id)),
        ) as IntentionId[]
        const reason = authentic.has(idKey(item.id)) ? 'missing_causes' : 'unsigned'
        return { kind: 'floating', id: item.id, reason, missing: reason === 'unsigned' ? [] : missing }
      })
      if (ready.length > 0) for (const listener of listeners) listener({ intentions: ready, source })
      return outcomes
    },
    onWitnessed: (listener): Cancel => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    write: (count, bytes = 20) => {
      const run: ParsedIntention[] = []
      for (let index = 0; index < count; index += 1) {
        const own = run.at(-1) ?? tips.get(idKey(signer.publicKey))
        const prev = own?.id ?? storeId
        const others = [...tips.values()].map((tip) => tip.id).filter((id) => !equalBytes(id, prev))
        const payload = new Uint8Array(bytes)
        payload.set(signer.publicKey.subarray(0, Math.min(4, bytes)))
        const parsed = signIntention(crypto, signer, {
          intention: {
            author: signer.publicKey,
            timestamp: hlc.tick(),
            storePrev: prev,
            causalDeps: index === 0 ? sortDeps(others.length === 0 ? [storeId] : others.slice(0, 16)) : [storeId],
            hints: { supersedesAll: false, ephemeral: false },
            ops: encodeUniversalOp({ kind: 'appData', schema: 1, value: payload }),
          },
          close: index === count - 1,
        })
        run.push(parsed)
      }
      assert(run.length <= 256, 'a run is bounded')
      witness(run)
      for (const listener of listeners) listener({ intentions: run, source: undefined })
      return run
    },
    ids: () => [...witnessed.values()].sort((a, b) => a.seq - b.seq).map(({ parsed }) => parsed.id),
    get: (id) => witnessed.get(idKey(id))?.parsed,
    floatingCount: () => floating.size,
    recordsFrom: (seq) => log.slice(seq - 1),
    ingested: () => ({ calls, intentions: intentionsIn }),
    beforeIngest: async () => undefined,
  }
  if (genesis !== undefined) witness([genesis])
  return store
}

function sumOf(keys: Iterable<IdKey>): Uint8Array<ArrayBuffer> {
  const sum = new Uint8Array(32)
  for (const key of keys) addInto(sum, idKeyBytes(key))
  return sum
}
