/**
 * What a backup says of itself: `backup.json`, written last, so that a directory without it is no backup.
 *
 * It is read from wherever a person got it, so it is checked as a stranger's: its size, its shape, and every name in it,
 * which can be no other than those a backup consists of. The text is the one form of what it says, checksum included, so
 * any byte that changed shows.
 *
 * @module
 */
import {
  type Crypto,
  fromHex,
  type Hash,
  HASH_BYTES,
  type IntentionId,
  type PublicKey,
  type StoreId,
  toHash,
  toHex,
  toIntentionId,
  toPublicKey,
  toStoreId,
  utf8Encode,
} from '@lattice/model'
import type { FileMark } from './backup-files.ts'
import { META_STORE_STATES, type MetaStoreState } from './meta-db.ts'

export const MANIFEST_FILE = 'backup.json'
export const META_FILE = 'meta.db'
export const IDENTITY_FILE = 'identity.key'
export const STORES_FOLDER = 'stores'
export const BACKUP_FORMAT = 1

/** Far more than the stores of a node take. */
export const MAX_MANIFEST_BYTES: number = 16 * 1024 * 1024

/** Files of a store, in the order they are copied; the logs beside them only of one that is copied as it is. */
export const STORE_FILES = ['state.db', 'state.db-wal', 'log.db', 'log.db-wal'] as const
export type StoreFile = (typeof STORE_FILES)[number]

export interface NamedFile extends FileMark {
  /** Below the backup, with `/`. */
  readonly path: string
}

export interface BackedUpStore {
  readonly id: StoreId
  /** For people. */
  readonly path: string
  readonly storeType: string
  readonly state: MetaStoreState
  /** It was damaged: its files are there as they were, to be repaired after a restore. */
  readonly isAsItWas: boolean
  /** Where its log ends; 0 for one without records, or that is as it was. */
  readonly witnessSeq: number
  readonly chainHash: Hash
  /** Where this node's own chain ends: one, unless it forked. */
  readonly ownTips: readonly IntentionId[]
  /** None for a store of which this node has no data. */
  readonly files: readonly NamedFile[]
}

/** A store of the inventory of which the backup has nothing. */
export interface LeftOutStore {
  readonly id: StoreId
  readonly path: string
  readonly reason: string
}

export interface BackupManifest {
  /** Of the program that made it. */
  readonly program: string
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number
  readonly node: PublicKey
  readonly withIdentity: boolean
  /** Schema of its `meta.db`. */
  readonly metaSchema: number
  /** `meta.db`, and the identity key where it is in it. */
  readonly files: readonly NamedFile[]
  readonly stores: readonly BackedUpStore[]
  readonly leftOut: readonly LeftOutStore[]
}

export type ManifestRead =
  | { readonly kind: 'read'; readonly manifest: BackupManifest }
  | { readonly kind: 'too_new'; readonly format: number }
  | { readonly kind: 'bad'; readonly problem: string }

export function storeFilePath(id: StoreId, file: StoreFile): string {
  return `${STORES_FOLDER}/${toHex(id)}/${file}`
}

/** Every file of a backup but the manifest. */
export function filesOf({ files, stores }: BackupManifest): readonly NamedFile[] {
  return [...files, ...stores.flatMap((store) => store.files)]
}

export function encodeManifest(crypto: Crypto, manifest: BackupManifest): Uint8Array {
  const body = {
    format: BACKUP_FORMAT,
    program: manifest.program,
    createdAt: manifest.createdAt,
    node: toHex(manifest.node),
    withIdentity: manifest.withIdentity,
    metaSchema: manifest.metaSchema,
    files: manifest.files.map(fileToJson),
    stores: manifest.stores.map((store) => ({
      id: toHex(store.id),
      path: store.path,
      storeType: store.storeType,
      state: store.state,
      isAsItWas: store.isAsItWas,
      witnessSeq: store.witnessSeq,
      chainHash: toHex(store.chainHash),
      ownTips: store.ownTips.map(toHex),
      files: store.files.map(fileToJson),
    })),
    leftOut: manifest.leftOut.map(({ id, path, reason }) => ({ id: toHex(id), path, reason })),
  }
  const checksum = toHex(crypto.blake3(utf8Encode(JSON.stringify(body))))
  return utf8Encode(`${JSON.stringify({ ...body, checksum }, undefined, 2)}\n`)
}

/** Reads a manifest. Total: whatever the bytes are, the answer says what is wrong with them. */
export function decodeManifest(crypto: Crypto, bytes: Uint8Array): ManifestRead {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return bad('it is no JSON')
  }
  const format = isRecord(json) ? json['format'] : undefined
  if (!isCount(format) || format < 1) return bad('it has no format')
  if (format > BACKUP_FORMAT) return { kind: 'too_new', format }
  const manifest = toManifest(json)
  if (manifest === undefined) return bad('it does not have the form of one')
  const text = encodeManifest(crypto, manifest)
  const isSame = text.length === bytes.length && text.every((byte, index) => byte === bytes[index])
  return isSame ? { kind: 'read', manifest } : bad('its checksum does not fit')
}

function bad(problem: string): ManifestRead {
  return { kind: 'bad', problem: `${MANIFEST_FILE}: ${problem}` }
}

function fileToJson({ path, bytes, hash }: NamedFile): object {
  return { path, bytes, hash: toHex(hash) }
}

type Json = Readonly<Record<string, unknown>>

function toManifest(json: unknown): BackupManifest | undefined {
  if (!isRecord(json)) return undefined
  const { program, createdAt, withIdentity, metaSchema } = json
  const node = toBytes(json['node'])
  const expected = withIdentity === true ? [META_FILE, IDENTITY_FILE] : [META_FILE]
  const files = toFiles(json['files'], expected)
  const stores = toAll(json['stores'], toStore)
  const leftOut = toAll(json['leftOut'], toLeftOut)
  if (typeof program !== 'string' || !isCount(createdAt) || !isCount(metaSchema)) return undefined
  if (typeof withIdentity !== 'boolean' || node === undefined || files?.length !== expected.length) return undefined
  if (stores === undefined || leftOut === undefined) return undefined
  const ids = new Set([...stores, ...leftOut].map(({ id }) => toHex(id)))
  if (ids.size !== stores.length + leftOut.length) return undefined
  return { program, createdAt, node: toPublicKey(node), withIdentity, metaSchema, files, stores, leftOut }
}

function toStore(json: Json): BackedUpStore | undefined {
  const { path, storeType, isAsItWas, witnessSeq } = json
  const id = toBytes(json['id'])
  const chainHash = toBytes(json['chainHash'])
  const state = META_STORE_STATES.find((known) => known === json['state'])
  const ownTips = toAll(json['ownTips'], toBytes)
  if (id === undefined || chainHash === undefined || state === undefined || ownTips === undefined) return undefined
  if (typeof path !== 'string' || typeof storeType !== 'string') return undefined
  if (typeof isAsItWas !== 'boolean' || !isCount(witnessSeq)) return undefined
  const allowed = STORE_FILES.filter((file) => isAsItWas || !file.endsWith('-wal'))
  const files = toFiles(
    json['files'],
    allowed.map((file) => storeFilePath(toStoreId(id), file)),
  )
  if (files === undefined) return undefined
  return {
    id: toStoreId(id),
    path,
    storeType,
    state,
    isAsItWas,
    witnessSeq,
    chainHash: toHash(chainHash),
    ownTips: ownTips.map(toIntentionId),
    files,
  }
}

function toLeftOut(json: Json): LeftOutStore | undefined {
  const id = toBytes(json['id'])
  const { path, reason } = json
  if (id === undefined || typeof path !== 'string' || typeof reason !== 'string') return undefined
  return { id: toStoreId(id), path, reason }
}

/** Files of these names, each once at most, in this order. */
function toFiles(json: unknown, names: readonly string[]): readonly NamedFile[] | undefined {
  const files = toAll(json, (each: Json): NamedFile | undefined => {
    const { path, bytes } = each
    const hash = toBytes(each['hash'])
    if (typeof path !== 'string' || !isCount(bytes) || hash === undefined) return undefined
    return { path, bytes, hash: toHash(hash) }
  })
  const places = files?.map(({ path }) => names.indexOf(path)) ?? []
  const isOrdered = places.every((place, index) => place > (places[index - 1] ?? -1))
  return isOrdered ? files : undefined
}

function toAll<Item, Input>(json: unknown, read: (each: Input) => Item | undefined): readonly Item[] | undefined {
  if (!Array.isArray(json)) return undefined
  const items: Item[] = []
  for (const each of json) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Whatever it is: readers of objects are given objects, those of values look themselves.
    const item = read((isRecord(each) || typeof each === 'string' ? each : {}) as Input)
    if (item === undefined) return undefined
    items.push(item)
  }
  return items
}

function toBytes(json: unknown): Uint8Array | undefined {
  const bytes = typeof json === 'string' ? fromHex(json) : undefined
  return bytes?.length === HASH_BYTES ? bytes : undefined
}

function isCount(json: unknown): json is number {
  return typeof json === 'number' && Number.isSafeInteger(json) && json >= 0
}

function isRecord(json: unknown): json is Json {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
