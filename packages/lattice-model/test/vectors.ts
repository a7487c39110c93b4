/**
 * Makes the golden vectors of the model's formats from fixed seeds.
 *
 * Whoever implements a format elsewhere checks it against these files. A change here changes a released format: the files
 * are compared with what the code makes, so one cannot change without the other.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { weaver } from '@lattice/proto'
import { concatBytes, toHex, utf8Encode } from '../src/bytes.ts'
import type { Crypto } from '../src/crypto-port.ts'
import { createForkProof, encodeForkProof, type ForkProof, verifyForkProof } from '../src/fork-proof.ts'
import { createGenesis } from '../src/genesis.ts'
import { toHash, toIntentionId, toSeed, toStoreId, toWitnessSeq, ZERO_HASH } from '../src/ids.ts'
import { decodeIntention } from '../src/intention-codec.ts'
import { intentionToSExpr } from '../src/intention-sexpr.ts'
import { type Hints, type Intention, NO_HINTS, sortDeps } from '../src/intention.ts'
import { MAX_HLC_COUNTER, MAX_WALL_MS } from '../src/limits.ts'
import { formatSExpr } from '../src/sexpr-format.ts'
import { type ParsedIntention, parseSignedIntention, signIntention } from '../src/signed-intention.ts'
import { createSigner, SIGNATURE_TAGS, type Signer } from '../src/signing.ts'
import { parseStoreType } from '../src/store-type.ts'
import { createSeededRandom } from '../src/testing/seeded-random.ts'
import { encodeUniversalOp } from '../src/universal-op.ts'
import { decodeWitnessContent, encodeWitnessContent, witnessHash } from '../src/witness-content.ts'

type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json }

/** Every vector file by name, as the values its JSON holds. */
export function makeVectors(crypto: Crypto): Readonly<Record<string, Json>> {
  return {
    'intention.json': intentionVectors(crypto),
    'witness.json': witnessVectors(crypto),
    'signature-domains.json': domainVectors(crypto),
    'fork-proof.json': forkVectors(crypto),
  }
}

const AUTHOR_SEED = new Uint8Array(32).fill(1)
const WITNESS_SEED = new Uint8Array(32).fill(2)

function signerFrom(crypto: Crypto, seed: Uint8Array): Signer {
  return createSigner(crypto, crypto.keyPairFromSeed(toSeed(seed)))
}

function plainWrite(author: Signer, storePrev: Intention['storePrev']): Intention {
  return {
    author: author.publicKey,
    timestamp: { wall: 1_795_000_000_001, counter: 0 },
    storePrev,
    causalDeps: [toIntentionId(storePrev)],
    hints: NO_HINTS,
    ops: encodeUniversalOp({ kind: 'appData', schema: 1, value: utf8Encode('hello') }),
  }
}

function intentionVectors(crypto: Crypto): Json {
  const author = signerFrom(crypto, AUTHOR_SEED)
  const storeType = parseStoreType('core:kv')
  if (!storeType.ok) throw new Error('the store type is well-formed')
  const nonce = createSeededRandom('genesis nonce').bytes(16)
  const timestamp = { wall: 1_795_000_000_000, counter: 0 }
  const genesis = createGenesis(crypto, author, { storeType: storeType.value, nonce, timestamp })
  const write = plainWrite(author, genesis.id)
  const random = createSeededRandom('deps')
  const deps = sortDeps(Array.from({ length: 16 }, () => toIntentionId(random.bytes(32))))
  const hints: readonly Hints[] = [
    { supersedesAll: true, ephemeral: false },
    { supersedesAll: false, ephemeral: true },
  ]
  const ack = encodeUniversalOp({ kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) })
  const sign = (intention: Intention, close = true): ParsedIntention =>
    signIntention(crypto, author, { intention, close })
  const valid: readonly [string, ParsedIntention][] = [
    ['genesis', genesis],
    ['write', sign(write)],
    ['unsigned inside a run', sign(write, false)],
    ['sixteen deps', sign({ ...write, causalDeps: deps })],
    ['latest timestamp', sign({ ...write, timestamp: { wall: MAX_WALL_MS, counter: MAX_HLC_COUNTER } })],
    ['supersedes all', sign({ ...write, hints: hints[0] ?? NO_HINTS })],
    ['ephemeral', sign({ ...write, hints: hints[1] ?? NO_HINTS })],
    ['ack', sign({ ...write, ops: ack })],
    ['empty ops', sign({ ...write, ops: new Uint8Array() })],
    ['ops that are no UniversalOp', sign({ ...write, ops: Uint8Array.of(0xff, 0xff) })],
  ]
  return {
    about: 'Signed intentions: Borsh bytes, BLAKE3 ids, Ed25519 signatures of "lattice/intention/v1" and the id. Hex.',
    authorSeed: toHex(AUTHOR_SEED),
    author: toHex(author.publicKey),
    valid: valid.map(([name, parsed]) => describeIntention(name, parsed)),
    invalid: invalidIntentions(crypto, sign(write)),
  }
}

function describeIntention(name: string, { id, intention, op, bytes, signature, ...rest }: ParsedIntention): Json {
  return {
    name,
    timestamp: { wall: intention.timestamp.wall, counter: intention.timestamp.counter },
    storePrev: toHex(intention.storePrev),
    causalDeps: intention.causalDeps.map(toHex),
    hints: { supersedesAll: intention.hints.supersedesAll, ephemeral: intention.hints.ephemeral },
    ops: toHex(intention.ops),
    op: op.kind,
    bytes: toHex(bytes),
    id: toHex(id),
    signature: toHex(signature),
    sexpr: formatSExpr(intentionToSExpr({ id, intention, op, bytes, signature, ...rest })),
  }
}

function invalidIntentions(crypto: Crypto, write: ParsedIntention): Json {
  const [depsAt, hintsAt] = [77, 113]
  const edit = (at: number, ...bytes: readonly number[]): Uint8Array => {
    const edited = write.bytes.slice()
    edited.set(bytes, at)
    return edited
  }
  const twoDeps = (first: number, second: number): Uint8Array =>
    concatBytes(
      write.bytes.subarray(0, depsAt),
      Uint8Array.of(2, 0, 0, 0),
      new Uint8Array(32).fill(first),
      new Uint8Array(32).fill(second),
      write.bytes.subarray(hintsAt),
    )
  const cases: readonly [string, Uint8Array][] = [
    ['empty', new Uint8Array()],
    ['last byte missing', write.bytes.subarray(0, -1)],
    ['one byte more', concatBytes(write.bytes, Uint8Array.of(0))],
    ['version 2', edit(0, 2)],
    ['wall of 49 bits', edit(39, 1)],
    ['deps descending', twoDeps(2, 1)],
    ['deps equal', twoDeps(1, 1)],
    ['dep zero', twoDeps(0, 1)],
    ['4097 deps', edit(depsAt, 1, 0x10, 0, 0)],
    ['reserved hint', edit(hintsAt, 4)],
    ['ops of 128 KiB and one', edit(hintsAt + 1, 1, 0, 2, 0)],
    ['genesis with deps', edit(45, ...ZERO_HASH)],
    ['no deps', concatBytes(write.bytes.subarray(0, depsAt), new Uint8Array(4), write.bytes.subarray(hintsAt))],
  ]
  return cases.map(([name, bytes]) => {
    const parsed = parseSignedIntention(crypto, { bytes, signature: write.signature })
    if (parsed.ok || decodeIntention(bytes).ok) throw new Error(`${name} was accepted`)
    return { name, bytes: toHex(bytes), code: parsed.error.code }
  })
}

function witnessVectors(crypto: Crypto): Json {
  const witness = signerFrom(crypto, WITNESS_SEED)
  const storeId = toStoreId(crypto.blake3(utf8Encode('a store')))
  const seqs = [1, 2, 3, 4]
  let prevHash = ZERO_HASH
  const records = seqs.map((seq) => {
    const intentionId = seq === 1 ? storeId : toIntentionId(crypto.blake3(utf8Encode(`intention ${seq}`)))
    // The second has no wall time: proto3 leaves a zero out.
    const wallTime = seq === 2 ? 0 : 1_795_000_000_000 + seq
    const content = encodeWitnessContent({ storeId, seq: toWitnessSeq(seq), intentionId, wallTime, prevHash })
    const hash = witnessHash(crypto, content)
    const signature = seq % 2 === 0 ? toHex(witness.sign('lattice/witness/v1', hash)) : ''
    const described = { seq, intentionId: toHex(intentionId), wallTime, prevHash: toHex(prevHash) }
    prevHash = hash
    return { ...described, content: toHex(content), hash: toHex(hash), signature }
  })
  const widest = encodeWitnessContent({
    storeId,
    seq: toWitnessSeq(Number.MAX_SAFE_INTEGER),
    intentionId: toIntentionId(new Uint8Array(32).fill(0xff)),
    wallTime: MAX_WALL_MS,
    prevHash: toHash(new Uint8Array(32).fill(0xff)),
  })
  return {
    about: 'A witness log of four records, closed at seq 2 and 4: contents, chain hashes, signatures. Hex.',
    witnessSeed: toHex(WITNESS_SEED),
    witness: toHex(witness.publicKey),
    storeId: toHex(storeId),
    records,
    widest: { seq: Number.MAX_SAFE_INTEGER, wallTime: MAX_WALL_MS, content: toHex(widest) },
    invalid: invalidContents(widest),
  }
}

function invalidContents(content: Uint8Array): Json {
  const seqAt = 34
  const cases: readonly [string, Uint8Array][] = [
    ['empty', new Uint8Array()],
    ['last byte missing', content.subarray(0, -1)],
    ['unknown field', concatBytes(content, Uint8Array.of(0x30, 1))],
    ['twice', concatBytes(content, content)],
    ['seq zero', concatBytes(content.subarray(0, seqAt), Uint8Array.of(0x10, 0), content.subarray(seqAt + 9))],
    ['seq left out', concatBytes(content.subarray(0, seqAt), content.subarray(seqAt + 9))],
    ['long varint', concatBytes(content.subarray(0, seqAt), Uint8Array.of(0x10, 0x81, 0), content.subarray(seqAt + 9))],
    ['fields out of order', concatBytes(content.subarray(seqAt), content.subarray(0, seqAt))],
  ]
  return cases.map(([name, bytes]) => {
    if (decodeWitnessContent(bytes).ok) throw new Error(`${name} was accepted`)
    return { name, content: toHex(bytes) }
  })
}

function domainVectors(crypto: Crypto): Json {
  const signer = signerFrom(crypto, AUTHOR_SEED)
  const hash = crypto.blake3(utf8Encode('what is signed'))
  return {
    about: 'One hash signed under each tag: Ed25519 of tag and hash. A signature holds under its own tag only. Hex.',
    seed: toHex(AUTHOR_SEED),
    publicKey: toHex(signer.publicKey),
    hash: toHex(hash),
    signatures: SIGNATURE_TAGS.map((tag) => ({
      tag,
      message: toHex(concatBytes(utf8Encode(tag), hash)),
      signature: toHex(signer.sign(tag, hash)),
    })),
  }
}

/** A fork after the first write: one branch is signed at once, the other by the intention after it. */
function forkVectors(crypto: Crypto): Json {
  const author = signerFrom(crypto, AUTHOR_SEED)
  const storeId = toIntentionId(crypto.blake3(utf8Encode('a store')))
  const writeAt = (wall: number, storePrev: Intention['storePrev'], close: boolean): ParsedIntention =>
    signIntention(crypto, author, {
      intention: { ...plainWrite(author, storePrev), timestamp: { wall, counter: 0 } },
      close,
    })
  const parent = writeAt(1_795_000_000_001, storeId, true)
  const signed = writeAt(1_795_000_000_002, parent.id, true)
  const unsigned = writeAt(1_795_000_000_003, parent.id, false)
  const closer = writeAt(1_795_000_000_004, unsigned.id, true)
  const proof = createForkProof([signed], [unsigned, closer])
  const proven = verifyForkProof(crypto, proof)
  if (!proven.ok) throw new Error(proven.error.code)
  const elsewhere = writeAt(1_795_000_000_005, storeId, true)
  const [here, there] = [proof.first, createForkProof([parent], [elsewhere]).second]
  const cases: readonly [string, ForkProof][] = [
    ['empty', { first: [], second: [] }],
    ['one branch', { ...proof, second: [] }],
    ['branches in the other order', { first: proof.second, second: proof.first }],
    ['one intention twice', { first: proof.first, second: proof.first }],
    ['nothing vouches for it', createForkProof([signed], [unsigned])],
    ['not one place', { first: here, second: there }],
  ]
  return {
    about:
      'Proofs that an author forked, in the protobuf form of ForkProof: one that holds, and some that do not. Hex.',
    author: toHex(author.publicKey),
    storePrev: toHex(proven.value.storePrev),
    ids: proven.value.ids.map(toHex),
    proof: toHex(encodeForkProof(proof)),
    invalid: cases.map(([name, each]) => {
      const verified = verifyForkProof(crypto, each)
      if (verified.ok) throw new Error(`${name} was accepted`)
      return { name, proof: toHex(encodeForkProof(each)), code: verified.error.code }
    }),
  }
}
