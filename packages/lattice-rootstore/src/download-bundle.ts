/**
 * Reads the content of a bundle, piece by piece.
 *
 * Which bundle it is is settled when the stream is opened; its pieces are read as they are taken, each in a turn of its
 * own. One whose parts are dropped meanwhile ends with an error, never with other bytes.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { equalBytes, type ReadTable } from '@lattice/model'
import { root } from '@lattice/proto'
import { defineStream, InvalidArgument, type StreamContext, type StreamDefinition } from '@lattice/store-base'
import type { RootEvent } from './apply-root.ts'
import { missingParts, readPartContent } from './bundle-parts.ts'
import { findBundle } from './bundle-queries.ts'
import { bundleInfo, type StoredBundle } from './bundle-view.ts'
import { BundleChanged, BundleIncomplete, NotRegistered } from './errors.ts'
import { PART_BYTES } from './limits.ts'
import { checkAppId } from './requests.ts'

export const downloadBundle: StreamDefinition<
  RootEvent,
  typeof root.DownloadBundleRequestSchema,
  typeof root.BundleChunkSchema
> = defineStream<RootEvent>()({
  description: 'Reads the content of a bundle.',
  params: root.DownloadBundleRequestSchema,
  item: root.BundleChunkSchema,
  open: (context, { appId, offset, hash }) => {
    const bundle = findBundle(context.read, checkAppId(appId))
    if (bundle === undefined) throw new NotRegistered('bundle', appId)
    const { record } = bundle
    if (hash.length > 0 && !equalBytes(hash, record.hash)) throw new BundleChanged(appId)
    if (offset > record.size) throw new InvalidArgument(`the bundle has ${record.size} bytes: give an offset within it`)
    const missing = missingParts(context.read, appId, record)
    if (missing > 0) throw new BundleIncomplete(appId, missing)
    return readChunks(context, bundle, Number(offset))
  },
})

async function* readChunks(
  { read, signal, pause }: StreamContext<RootEvent>,
  bundle: StoredBundle,
  offset: number,
): AsyncGenerator<root.BundleChunk, void, undefined> {
  const first = Math.floor(offset / PART_BYTES)
  const count = Math.ceil(Number(bundle.record.size) / PART_BYTES)
  // Also of a download that goes on at the end: it says which bundle it is.
  let info: root.BundleInfo | undefined = bundleInfo(read, bundle)
  for (let index = first; index < count || info !== undefined; index += 1) {
    // Whoever reads may be as fast as this, and then both would go on in one turn.
    if (index > first) await pause()
    signal.throwIfAborted()
    const at = Math.max(offset, index * PART_BYTES)
    const data = index < count ? readPiece(read, bundle, index).subarray(at - index * PART_BYTES) : new Uint8Array()
    yield create(root.BundleChunkSchema, { offset: BigInt(at), data, ...(info && { bundle: info }) })
    info = undefined
  }
}

function readPiece(read: ReadTable, { appId, record: { content } }: StoredBundle, index: number): Uint8Array {
  if (content.case === 'inline') return content.value
  const id = content.case === 'parts' ? content.value.ids[index] : undefined
  const piece = id === undefined ? undefined : readPartContent(read, appId, id)
  if (piece === undefined) throw new BundleIncomplete(appId, 1)
  return piece
}
