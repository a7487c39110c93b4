/**
 * Moves whole bundles over a store's methods, whose requests and answers are bounded.
 *
 * @module
 */
import { type AbortSignal, createAbortController, equalBytes, type IntentionId, toIntentionId } from '@lattice/model'
import { sha256 } from '@noble/hashes/sha2.js'
import type { root } from '@lattice/proto'
import type { Client } from '@lattice/store-base'
import { BundleInvalid } from './bundle/bundle-problem.ts'
import { checkBundle } from './bundle/read-bundle.ts'
import { BundleChanged } from './errors.ts'
import { MAX_BUNDLE_BYTES, MAX_INLINE_BYTES, PART_BYTES } from './limits.ts'
import { runInTurns, type Turns } from './sliced.ts'

export interface TransferProgress {
  /** Bytes of the zip that are across. */
  readonly done: number
  readonly total: number
}

export interface TransferOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TransferProgress) => void
}

/** A store's methods, and turns for what is done here. */
export interface BundleCarrier {
  readonly client: Client<typeof root.RootStore>
  readonly pause: Turns['pause']
}

/** Parts on their way at a time: enough that one commit takes several, and a mebibyte of memory. */
const PARTS_IN_FLIGHT = 8

/**
 * Uploads a zip; resolves with the id of its record once it is durable. It is checked before its first byte is sent, and
 * again as a whole where it is signed; until then it is not to be changed.
 */
export async function sendBundle(
  { client, pause }: BundleCarrier,
  zip: Uint8Array,
  { signal = never(), onProgress, appId = '' }: TransferOptions & { readonly appId?: string },
): Promise<IntentionId> {
  const bundle = await runInTurns(checkBundle(zip, appId === '' ? undefined : appId), { pause, signal })
  if (!bundle.ok) throw new BundleInvalid(bundle.error)
  const { id } = bundle.value.manifest
  const progress = (done: number): void => onProgress?.({ done, total: zip.length })
  progress(0)
  const content =
    zip.length <= MAX_INLINE_BYTES
      ? ({ case: 'data', value: zip } as const)
      : ({ case: 'parts', value: { ids: await sendParts(client, id, { zip, signal, progress }) } } as const)
  const uploaded = await client.uploadBundle({ appId: id, content }, signal)
  progress(zip.length)
  return toIntentionId(uploaded.id)
}

async function sendParts(
  client: BundleCarrier['client'],
  appId: string,
  {
    zip,
    signal,
    progress,
  }: { readonly zip: Uint8Array; readonly signal: AbortSignal; readonly progress: (done: number) => void },
): Promise<Uint8Array[]> {
  const ids: Uint8Array[] = []
  const step = PARTS_IN_FLIGHT * PART_BYTES
  for (let at = 0; at < zip.length; at += step) {
    signal.throwIfAborted()
    const group = zip.subarray(at, at + step)
    const sending: Promise<Uint8Array>[] = []
    for (let from = 0; from < group.length; from += PART_BYTES)
      sending.push(
        client.putBundlePart({ appId, data: group.subarray(from, from + PART_BYTES) }, signal).then(({ id }) => id),
      )
    ids.push(...(await Promise.all(sending)))
    progress(Math.min(at + step, zip.length - 1))
  }
  return ids
}

/** The zip of an app, checked against the hash in its record. */
export async function receiveBundle(
  { client, pause }: BundleCarrier,
  appId: string,
  { signal = never(), onProgress }: TransferOptions,
): Promise<Uint8Array> {
  let zip: Uint8Array | undefined
  let info: root.BundleInfo | undefined
  let done = 0
  const hash = sha256.create()
  for await (const { offset, data, bundle } of client.downloadBundle({ appId }, signal)) {
    if (zip === undefined) {
      // Whoever answers is not trusted with how much is allocated here.
      if (bundle === undefined || bundle.size > BigInt(MAX_BUNDLE_BYTES)) throw new BundleChanged(appId)
      info = bundle
      zip = new Uint8Array(Number(bundle.size))
    }
    if (offset !== BigInt(done) || done + data.length > zip.length) throw new BundleChanged(appId)
    zip.set(data, done)
    hash.update(data)
    done += data.length
    onProgress?.({ done, total: zip.length })
    // Many pieces may have arrived together.
    await pause()
  }
  signal.throwIfAborted()
  if (zip === undefined || info === undefined || done !== zip.length || !equalBytes(hash.digest(), info.hash))
    throw new BundleChanged(appId)
  return zip
}

function never(): AbortSignal {
  return createAbortController().signal
}
