/**
 * Checks what is to become a bundle, from its parts as they are in the table or as it came, in slices.
 *
 * A part that is dropped between two slices is missed when it is read. One that is dropped after that is missed by
 * whoever signs: a part never changes, so all that has to hold then is that it is there.
 *
 * @module
 */
import { idKey, readIntentionId, type ReadTable } from '@lattice/model'
import type { root } from '@lattice/proto'
import { InvalidArgument, LimitExceeded } from '@lattice/store-base'
import { readPartContent } from './bundle-parts.ts'
import { BundleInvalid } from './bundle/bundle-problem.ts'
import { hashBundle } from './bundle/hash-bundle.ts'
import { checkBundle } from './bundle/read-bundle.ts'
import { MAX_PARTS, PART_BYTES } from './limits.ts'
import type { Sliced } from './sliced.ts'

/** The bytes of a bundle, or the ids of its parts. */
export type UploadedContent = Exclude<root.UploadBundleRequest['content'], { readonly case: undefined }>

/** What a record says of a bundle that is sound. */
export interface CheckedBundle {
  readonly manifest: root.Manifest
  readonly size: number
  readonly hash: Uint8Array
}

/** Throws {@link InvalidArgument}, {@link LimitExceeded} or {@link BundleInvalid}. Bytes are not to be changed meanwhile. */
export function* checkUpload(
  read: ReadTable,
  appId: string | undefined,
  content: UploadedContent,
): Sliced<CheckedBundle> {
  const zip = content.case === 'parts' ? yield* joinParts(read, appId, content.value.ids) : content.value
  const bundle = yield* checkBundle(zip, appId)
  if (!bundle.ok) throw new BundleInvalid(bundle.error)
  return { manifest: bundle.value.manifest, size: zip.length, hash: yield* hashBundle(zip) }
}

/** The zip that parts are of. */
function* joinParts(read: ReadTable, appId: string | undefined, ids: readonly Uint8Array[]): Sliced<Uint8Array> {
  if (appId === undefined)
    throw new InvalidArgument('an upload of parts needs the app id under which they were put: give it')
  if (ids.length === 0 || ids.length > MAX_PARTS)
    throw new LimitExceeded(`a bundle has 1 to ${MAX_PARTS} parts: make a smaller bundle`, {
      limit: MAX_PARTS,
      actual: ids.length,
    })
  if (new Set(ids.map(idKey)).size !== ids.length)
    throw new InvalidArgument('a part is listed twice: list each part once, in order')
  const zip = new Uint8Array(ids.length * PART_BYTES)
  let size = 0
  for (const [index, id] of ids.entries()) {
    const content = readIntentionId(id) === undefined ? undefined : readPartContent(read, appId, id)
    checkPart(content, index, index === ids.length - 1)
    zip.set(content, size)
    size += content.length
    yield content.length
  }
  return zip.subarray(0, size)
}

function checkPart(content: Uint8Array | undefined, index: number, isLast: boolean): asserts content is Uint8Array {
  if (content === undefined)
    throw new InvalidArgument(`part ${index + 1} is not here: put all parts under this app id, then upload them`, {
      reason: 'part_missing',
      part: index,
    })
  if (content.length !== PART_BYTES && !isLast)
    throw new InvalidArgument(
      `part ${index + 1} has ${content.length} bytes: all parts but the last have ${PART_BYTES}`,
      {
        reason: 'part_not_full',
        part: index,
      },
    )
}
