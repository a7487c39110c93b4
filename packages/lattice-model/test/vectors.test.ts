import { describe, expect, test } from 'vitest'
import forkFile from '@lattice/proto/vectors/fork-proof.json' with { type: 'json' }
import intentionFile from '@lattice/proto/vectors/intention.json' with { type: 'json' }
import domainFile from '@lattice/proto/vectors/signature-domains.json' with { type: 'json' }
import witnessFile from '@lattice/proto/vectors/witness.json' with { type: 'json' }
import { fromHex, toHex } from '../src/bytes.ts'
import { openCrypto } from '../src/crypto.ts'
import { decodeForkProof, verifyForkProof } from '../src/fork-proof.ts'
import { toHash, toPublicKey, toStoreId, toWitnessSeq, ZERO_HASH } from '../src/ids.ts'
import { formatSExpr } from '../src/sexpr-format.ts'
import { parseSExpr } from '../src/sexpr-parse.ts'
import { intentionToSExpr } from '../src/intention-sexpr.ts'
import { parseSignedIntention, verifyParsed } from '../src/signed-intention.ts'
import { SIGNATURE_TAGS, verifyTagged } from '../src/signing.ts'
import { decodeWitnessContent, encodeWitnessContent } from '../src/witness-content.ts'
import { checkWitnessPage } from '../src/witness-page.ts'
import { errorOf, valueOf } from './support.ts'
import { makeVectors } from './vectors.ts'

const hex = (text: string): Uint8Array => {
  const bytes = fromHex(text)
  if (bytes === undefined) throw new Error(`not hex: ${text}`)
  return bytes
}

const files: Readonly<Record<string, unknown>> = {
  'intention.json': intentionFile,
  'witness.json': witnessFile,
  'signature-domains.json': domainFile,
  'fork-proof.json': forkFile,
}

describe.each(['wasm', 'native'] as const)('with %s cryptography', async (backend) => {
  const crypto = await openCrypto({ backend })

  test.each(Object.entries(makeVectors(crypto)))('%s is what the code makes', (name, made) => {
    expect(made).toEqual(files[name])
  })

  test.each(intentionFile.valid)('the intention "$name" is accepted as it is', (vector) => {
    const parsed = valueOf(parseSignedIntention(crypto, { bytes: hex(vector.bytes), signature: hex(vector.signature) }))
    expect(toHex(parsed.id)).toBe(vector.id)
    expect(parsed.op.kind).toBe(vector.op)
    expect(parsed.intention).toEqual({
      author: hex(intentionFile.author),
      timestamp: vector.timestamp,
      storePrev: hex(vector.storePrev),
      causalDeps: vector.causalDeps.map(hex),
      hints: vector.hints,
      ops: hex(vector.ops),
    })
    expect(verifyParsed(crypto, parsed)).toBe(vector.signature !== '')
    expect(formatSExpr(intentionToSExpr(parsed))).toBe(vector.sexpr)
    expect(valueOf(parseSExpr(vector.sexpr))).toEqual(intentionToSExpr(parsed))
  })

  test.each(intentionFile.invalid)('the intention "$name" is refused as $code', (vector) => {
    const signed = { bytes: hex(vector.bytes), signature: new Uint8Array() }
    expect(errorOf(parseSignedIntention(crypto, signed)).code).toBe(vector.code)
  })

  test('the witness log is accepted, as a whole and page by page', () => {
    const records = witnessFile.records.map((record) => ({
      content: hex(record.content),
      signature: hex(record.signature),
    }))
    const page = (from: number, to: number): ReturnType<typeof checkWitnessPage> =>
      checkWitnessPage({
        crypto,
        storeId: toStoreId(hex(witnessFile.storeId)),
        witness: toPublicKey(hex(witnessFile.witness)),
        fromSeq: toWitnessSeq(from),
        prevHash: from === 1 ? ZERO_HASH : toHash(hex(witnessFile.records[from - 2]?.hash ?? '')),
        records: records.slice(from - 1, to),
      })
    for (const [from, to] of [
      [1, 4],
      [1, 2],
      [3, 4],
    ] as const) {
      const { entries, lastHash } = valueOf(page(from, to))
      expect(toHex(lastHash)).toBe(witnessFile.records[to - 1]?.hash)
      expect(entries.map((entry) => toHex(encodeWitnessContent(entry)))).toEqual(
        witnessFile.records.slice(from - 1, to).map((record) => record.content),
      )
    }
    expect(errorOf(page(1, 3)).code).toBe('page_not_closed')
  })

  test.each(witnessFile.invalid)('the witness content "$name" is refused', (vector) => {
    expect(errorOf(decodeWitnessContent(hex(vector.content))).code).toBe('witness_malformed')
  })

  test('the widest witness content is accepted', () => {
    const { seq, wallTime } = valueOf(decodeWitnessContent(hex(witnessFile.widest.content)))
    expect({ seq, wallTime }).toEqual({ seq: witnessFile.widest.seq, wallTime: witnessFile.widest.wallTime })
  })

  test('the fork is proven, by its proof alone', () => {
    const proven = valueOf(verifyForkProof(crypto, valueOf(decodeForkProof(hex(forkFile.proof)))))
    const { author, storePrev, ids } = forkFile
    expect([proven.author, proven.storePrev, ...proven.ids].map(toHex)).toEqual([author, storePrev, ...ids])
  })

  test.each(forkFile.invalid)('the fork proof "$name" is refused as $code', (vector) => {
    expect(errorOf(verifyForkProof(crypto, valueOf(decodeForkProof(hex(vector.proof))))).code).toBe(vector.code)
  })

  test('each signature holds under its own tag only', () => {
    const [key, hash] = [toPublicKey(hex(domainFile.publicKey)), toHash(hex(domainFile.hash))]
    for (const vector of domainFile.signatures) {
      const signature = hex(vector.signature)
      expect(crypto.verify(key, hex(vector.message), signature)).toBe(true)
      for (const tag of SIGNATURE_TAGS) {
        expect(verifyTagged(crypto, key, { tag, hash, signature })).toBe(tag === vector.tag)
      }
    }
  })
})
