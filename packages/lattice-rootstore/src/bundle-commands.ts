/**
 * The writes of bundles.
 *
 * A bundle that does not fit one write comes in parts, each a write of its own, and then as a record that lists them. It
 * is checked whole before the record is signed, over many turns, from the parts as they are in the table. Whoever drops
 * one meanwhile ends the upload, at the latest where the record is signed. A crash on the way leaves loose parts and no
 * bundle; they go with the next upload that is an hour younger, or with a removal.
 *
 * What replaces a bundle drops its parts in the same write, so none is left behind and none is dropped too early. Every
 * write cites what it lists or drops, for `apply` asks whether its author had seen it.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { headIds, heads } from '@lattice/kvtable'
import {
  compareBytes,
  equalBytes,
  type IdKey,
  idKey,
  type IntentionId,
  toIntentionId,
  utf8Encode,
} from '@lattice/model'
import { kv, root } from '@lattice/proto'
import {
  type CommandContext,
  type CommandDefinition,
  defineCommand,
  InvalidArgument,
  LimitExceeded,
} from '@lattice/store-base'
import { countParts, looseParts, missingParts, standingParts } from './bundle-parts.ts'
import { findBundle } from './bundle-queries.ts'
import { bundleInfo } from './bundle-view.ts'
import { checkUpload, type UploadedContent } from './check-upload.ts'
import { BundleIncomplete, NotRegistered, UploadOvertaken } from './errors.ts'
import { MAX_DROPPED_PARTS, MAX_INLINE_BYTES, MAX_LOOSE_PARTS, PART_BYTES, UPLOAD_PATIENCE_MS } from './limits.ts'
import { encodeOperation } from './payload.ts'
import { checkAppId, cited } from './requests.ts'
import { runInTurns } from './sliced.ts'
import { readPart } from './table-layout.ts'

type StoredContent = Exclude<root.BundleRecord['content'], { readonly case: undefined }>

export const putBundlePart: CommandDefinition<typeof root.PutBundlePartRequestSchema, typeof kv.WriteResponseSchema> =
  defineCommand({
    description: 'Writes one part of a bundle that is too large for one request.',
    request: root.PutBundlePartRequestSchema,
    response: kv.WriteResponseSchema,
    run: async (context, { appId, data }) => {
      if (data.length === 0 || data.length > PART_BYTES)
        throw new InvalidArgument(
          `a part has 1 to ${PART_BYTES} bytes, this one has ${data.length}: cut the bundle into parts of that size`,
        )
      checkRoom(context, checkAppId(appId), 1)
      return create(kv.WriteResponseSchema, { id: await submitPart(context, appId, data) })
    },
  })

export const uploadBundle: CommandDefinition<
  typeof root.UploadBundleRequestSchema,
  typeof root.UploadBundleResponseSchema
> = defineCommand({
  description: 'Checks a bundle whole and makes it the bundle of its app.',
  request: root.UploadBundleRequestSchema,
  response: root.UploadBundleResponseSchema,
  run: async (context, { appId, content }) => {
    const wanted = appId === '' ? undefined : checkAppId(appId)
    if (content.case === undefined)
      throw new InvalidArgument('an upload needs the bundle: give its data, or the ids of its parts')
    // One at a time, for a check holds the bundle whole.
    const checked = await context.exclusive(() => runInTurns(checkUpload(context.read, wanted, content), context))
    const { manifest, size, hash } = checked
    const stored = await storeContent(context, manifest.id, content)
    const parts = stored.case === 'parts' ? stored.value.ids : []
    await dropAbandoned(context, manifest.id, parts)
    await context.pause()
    const record = create(root.BundleRecordSchema, { manifest, size: BigInt(size), hash, content: stored })
    const id = await submitRecord(context, record, parts)
    const standing = heads(readPart(context.read, 'bundles'), utf8Encode(manifest.id))
    if (parts.length > 0 && !standing.some((head) => equalBytes(head.id, id))) throw new UploadOvertaken(manifest.id)
    const conflicted = findBundle(context.read, manifest.id)?.conflicted ?? false
    const shown = bundleInfo(context.read, { appId: manifest.id, record, conflicted })
    return create(root.UploadBundleResponseSchema, { id, bundle: shown })
  },
})

export const removeBundle: CommandDefinition<typeof root.RemoveBundleRequestSchema, typeof kv.WriteResponseSchema> =
  defineCommand({
    description: 'Removes the bundle of an app, and what unfinished uploads of it have left.',
    request: root.RemoveBundleRequestSchema,
    response: kv.WriteResponseSchema,
    run: async (context, { appId }) => {
      const standing = heads(readPart(context.read, 'bundles'), utf8Encode(checkAppId(appId)))
      const hasBundle = standing.some(({ state }) => state.kind === 'value')
      let id = hasBundle ? await submitRemoval(context, appId) : undefined
      for (const ids of groupsOf(looseParts(context.read, appId).map((part) => part.id)))
        id = await submitDrop(context, appId, ids)
      if (id === undefined) throw new NotRegistered('bundle', appId)
      return create(kv.WriteResponseSchema, { id })
    },
  })

function submitPart(context: CommandContext, appId: string, data: Uint8Array): Promise<IntentionId> {
  return context.submit(encodeOperation({ case: 'putPart', value: { appId, data } }), () => [])
}

/** Where the content is from here on: in parts, or in the record. */
async function storeContent(context: CommandContext, appId: string, content: UploadedContent): Promise<StoredContent> {
  if (content.case === 'parts') return content
  if (content.value.length <= MAX_INLINE_BYTES) return { case: 'inline', value: content.value }
  const ids = [...(await submitParts(context, appId, content.value))]
  return { case: 'parts', value: create(root.PartListSchema, { ids }) }
}

/** Writes a bundle that came in one request as parts; one after the other, for so they stay in order. */
async function submitParts(context: CommandContext, appId: string, zip: Uint8Array): Promise<readonly IntentionId[]> {
  checkRoom(context, appId, Math.ceil(zip.length / PART_BYTES))
  const ids: IntentionId[] = []
  for (let at = 0; at < zip.length; at += PART_BYTES)
    ids.push(await submitPart(context, appId, zip.subarray(at, at + PART_BYTES)))
  return ids
}

function submitRecord(
  context: CommandContext,
  record: root.BundleRecord,
  parts: readonly Uint8Array[],
): Promise<IntentionId> {
  const appId = record.manifest?.id ?? ''
  const droppedParts = replacedParts(context, appId, parts)
  return context.submit(encodeOperation({ case: 'putBundle', value: { record, droppedParts } }), (read) => {
    // Others have had their turns since the parts were read: what is signed is whole in the state in which it is signed.
    const missing = missingParts(read, appId, record)
    if (missing > 0) throw new BundleIncomplete(appId, missing)
    return cited(parts.map(toIntentionId), headIds(readPart(read, 'bundles'), [utf8Encode(appId)]))
  })
}

function submitRemoval(context: CommandContext, appId: string): Promise<IntentionId> {
  const droppedParts = replacedParts(context, appId, [])
  return context.submit(encodeOperation({ case: 'unsetBundle', value: { appId, droppedParts } }), (read) =>
    cited([], headIds(readPart(read, 'bundles'), [utf8Encode(appId)])),
  )
}

function submitDrop(context: CommandContext, appId: string, ids: readonly IntentionId[]): Promise<IntentionId> {
  const parts = ids.toSorted(compareBytes)
  return context.submit(encodeOperation({ case: 'dropParts', value: { appId, parts } }), () => parts)
}

/** The parts of what stands now, but for those that are `kept`; what is beyond one write's bound becomes loose. */
function replacedParts({ read }: CommandContext, appId: string, kept: readonly Uint8Array[]): Uint8Array[] {
  const replaced = new Map(standingParts(read, appId).map((id) => [idKey(id), id]))
  for (const id of kept) replaced.delete(idKey(id))
  return [...replaced.values()].slice(0, MAX_DROPPED_PARTS).sort(compareBytes)
}

/** Drops what uploads have left that were given up, by the time of the youngest write that is here of the app. */
async function dropAbandoned(context: CommandContext, appId: string, own: readonly Uint8Array[]): Promise<void> {
  const kept = new Set<IdKey>(own.map(idKey))
  const loose = looseParts(context.read, appId)
  const standing = heads(readPart(context.read, 'bundles'), utf8Encode(appId))
  const latest = Math.max(0, ...loose.map(({ wall }) => wall), ...standing.map(({ timestamp }) => timestamp.wall))
  const abandoned = loose.filter(({ id, wall }) => !kept.has(idKey(id)) && wall < latest - UPLOAD_PATIENCE_MS)
  for (const ids of groupsOf(abandoned.map(({ id }) => id))) await submitDrop(context, appId, ids)
}

function checkRoom({ read }: CommandContext, appId: string, wanted: number): void {
  // Whether they are loose costs more to find out, and seldom matters.
  if (countParts(read, appId, MAX_LOOSE_PARTS) + wanted <= MAX_LOOSE_PARTS) return
  const loose = looseParts(read, appId).length
  if (loose + wanted <= MAX_LOOSE_PARTS) return
  throw new LimitExceeded(
    `unfinished uploads of \`${appId}\` hold ${loose} parts already: finish one, or remove the bundle, which clears them`,
    { limit: MAX_LOOSE_PARTS, actual: loose + wanted },
  )
}

function* groupsOf<Item>(items: readonly Item[]): Generator<readonly Item[], void, undefined> {
  for (let at = 0; at < items.length; at += MAX_DROPPED_PARTS) yield items.slice(at, at + MAX_DROPPED_PARTS)
}
