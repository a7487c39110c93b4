/**
 * Bounds of the root store. Those that `apply` reads decide which operations count: they change only with the schema.
 *
 * @module
 */
import { MAX_FRAME_BYTES } from '@lattice/model'

const KIB = 1024
const MIB: number = 1024 * KIB

/** Largest bundle, as a zip: an app with its pictures, and little enough to be held in memory while it is checked. */
export const MAX_BUNDLE_BYTES: number = 64 * MIB

/** Bytes of every part of a bundle but the last: what fits an intention beside an app id. */
export const PART_BYTES: number = 120 * KIB

/** Most parts of a bundle. */
export const MAX_PARTS: number = Math.ceil(MAX_BUNDLE_BYTES / PART_BYTES)

/** A bundle up to this size is part of its record: one write, and one read. */
export const MAX_INLINE_BYTES: number = 32 * KIB

/** Most parts that one operation drops. With a full record beside them they still fit an intention. */
export const MAX_DROPPED_PARTS = 1024

/** Parts of unfinished uploads that an app may have: one that was given up, and one on its way. */
export const MAX_LOOSE_PARTS: number = 2 * MAX_PARTS

/** How long an upload may take: parts that are older than a finished bundle by more than this were given up. */
export const UPLOAD_PATIENCE_MS: number = 60 * 60 * 1000

/** Longest app id, as a store's app id is. */
export const MAX_APP_ID_BYTES = 128

/** Longest label of a domain name (RFC 1035). */
export const MAX_SUBDOMAIN_BYTES = 63

/** Entries of a manifest, all tables together. */
export const MAX_MANIFEST_FIELDS = 256

/** Longest table path or key of a manifest. */
export const MAX_MANIFEST_NAME_BYTES = 128

/** Longest value of a manifest. */
export const MAX_MANIFEST_VALUE_BYTES: number = 4 * KIB

/** Most bytes of a manifest in a record, whose tables are named for each entry. */
export const MAX_MANIFEST_RECORD_BYTES: number = 48 * KIB

/** Largest `manifest.toml`. */
export const MAX_MANIFEST_FILE_BYTES: number = 64 * KIB

/** Deepest nesting of a manifest. */
export const MAX_MANIFEST_DEPTH = 16

/** Most files and folders of a bundle. */
export const MAX_BUNDLE_ENTRIES = 4096

/** Longest name of a file, with its folders. */
export const MAX_ENTRY_NAME_BYTES = 512

/** Most folders that a file is in. */
export const MAX_ENTRY_DEPTH = 32

/** Largest file of a bundle: it is held in memory while it is served. */
export const MAX_FILE_BYTES: number = 16 * MIB

/** All files of a bundle together. */
export const MAX_UNPACKED_BYTES: number = 256 * MIB

/** Most bytes that a packed byte may stand for: several times what text and pictures reach, far from a bomb's thousand. */
export const MAX_COMPRESSION_RATIO = 100

/** A file up to this size may be packed as well as it can be: it is no bomb. */
export const RATIO_FREE_BYTES: number = 64 * KIB

/** Concurrent writes of an app or bundle that are shown: with them the answer fits a frame, however many stand. */
export const MAX_SHOWN_HEADS = 64

/** Apps or bundles of a page when a list does not say. */
export const DEFAULT_PAGE_ITEMS = 100

/** Most apps or bundles of a page. */
export const MAX_PAGE_ITEMS = 1000

/** A page ends early once its items reach this: it then fits a frame. */
export const MAX_PAGE_BYTES: number = MAX_FRAME_BYTES / 2

/** Most bytes of apps and bundles of a watch's snapshot, which is read at one moment and so held in memory. */
export const MAX_SNAPSHOT_BYTES: number = 16 * MIB
