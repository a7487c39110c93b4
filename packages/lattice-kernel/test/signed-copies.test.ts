/** What is cut and built upon, as a run with one node and signed by itself with another. */
import { type IntentionId, type ParsedIntention, signIntention } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel } from '../src/index.ts'
import { createHistory, openCut } from './cutoff-history.ts'
import { crypto, removeDirectories, signerOf } from './harness.ts'

afterEach(removeDirectories)

async function handOn(from: Kernel, to: Kernel, ids: readonly IntentionId[]): Promise<void> {
  await to.ingest(from.read(ids, 1e6).intentions, undefined)
}

/** The second has the signed copy alone: `closing`, which is beyond the cutoff as well, vouches for nothing there. */
async function openTwo() {
  const history = createHistory()
  const linked = history.write(3, 'set linked 1', [], false)
  const closing = history.write(3, 'set closing 1')
  const copy = signIntention(crypto, signerOf(3), { intention: linked.intention, close: true })
  const built = history.write(4, 'set built 1', [linked])
  const removed = history.remove(1, 3, history.start, { acks: [2, 4, 5] })
  const without = (ids: readonly ParsedIntention[]): readonly ParsedIntention[] =>
    history.all.filter((one) => !ids.includes(one))
  const [run, single] = await Promise.all(
    [2, 5].map(async (signer) => (await openCut({ storeId: history.storeId, signer: signerOf(signer) })).kernel),
  )
  if (run === undefined || single === undefined) throw new Error('there are two')
  await run.ingest(history.all, undefined)
  await single.ingest([...without([linked, closing, built, removed]), copy, built, removed], undefined)
  return { linked, closing, run, single }
}

describe('a cut intention that others built upon', () => {
  test('differs in what vouches for it until a node that has the run acknowledges: then all have the run', async () => {
    const { closing, run, single } = await openTwo()
    expect([run.has(closing.id), single.has(closing.id)]).toEqual([true, false])
    expect(await run.stateDigest()).toEqual(await single.stateDigest())
    expect(run.digest().witnessCount).toBe(single.digest().witnessCount + 1)
    // It is of nobody who counts, so by itself nobody takes it in.
    await handOn(run, single, [closing.id])
    expect(single.has(closing.id)).toBe(false)
    // Whatever another writes next calls for an ack, and that cites what nobody has cited.
    const ack = await run.emitAck()
    await handOn(run, single, ack === undefined ? [] : [closing.id, ack])
    expect(single.has(closing.id)).toBe(true)
    expect(single.digest()).toEqual(run.digest())
    expect(await run.stateDigest()).toEqual(await single.stateDigest())
    await run.close()
    await single.close()
  })

  test('and whose run was told of first is that run everywhere the copy comes later', async () => {
    const { linked, closing, run, single } = await openTwo()
    const [copy] = single.read([linked.id], 1e6).intentions
    if (copy === undefined) throw new Error('the copy is handed on')
    const before = run.digest()
    await run.ingest([copy], undefined)
    expect(run.has(closing.id)).toBe(true)
    expect(run.digest()).toEqual(before)
    await run.close()
    await single.close()
  })
})
