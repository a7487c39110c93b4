/**
 * Everything that can be wrong with a bundle, one literal each, and a sentence that says what to change.
 *
 * @module
 */
import { LatticeError } from '@lattice/model'
import {
  MAX_BUNDLE_BYTES,
  MAX_BUNDLE_ENTRIES,
  MAX_COMPRESSION_RATIO,
  MAX_ENTRY_DEPTH,
  MAX_ENTRY_NAME_BYTES,
  MAX_FILE_BYTES,
  MAX_MANIFEST_DEPTH,
  MAX_MANIFEST_FIELDS,
  MAX_MANIFEST_FILE_BYTES,
  MAX_MANIFEST_NAME_BYTES,
  MAX_MANIFEST_RECORD_BYTES,
  MAX_MANIFEST_VALUE_BYTES,
  MAX_UNPACKED_BYTES,
} from '../limits.ts'

/** What is wrong with a bundle. */
export type BundleReason =
  | 'too_large'
  | 'not_a_zip'
  | 'ambiguous_end'
  | 'multi_disk'
  | 'zip64'
  | 'directory_damaged'
  | 'too_many_entries'
  | 'stray_data'
  | 'header_mismatch'
  | 'encrypted'
  | 'flags_unsupported'
  | 'method_unsupported'
  | 'special_file'
  | 'name_not_utf8'
  | 'name_empty'
  | 'name_too_long'
  | 'name_too_deep'
  | 'name_absolute'
  | 'name_escapes'
  | 'name_backslash'
  | 'name_control'
  | 'name_segment_empty'
  | 'name_duplicate'
  | 'name_conflict'
  | 'folder_not_empty'
  | 'file_too_large'
  | 'unpacked_too_large'
  | 'ratio'
  | 'size_mismatch'
  | 'data_damaged'
  | 'crc_mismatch'
  | 'manifest_missing'
  | 'manifest_too_large'
  | 'manifest_not_utf8'
  | 'manifest_not_toml'
  | 'manifest_too_many_fields'
  | 'manifest_field_too_long'
  | 'manifest_field_type'
  | 'app_id_missing'
  | 'app_id_invalid'
  | 'app_id_mismatch'
  | 'store_type_invalid'

const SENTENCES: Readonly<Record<BundleReason, string>> = {
  too_large: `the bundle is too large: make the zip at most ${MAX_BUNDLE_BYTES} bytes`,
  not_a_zip: 'the bundle is not a zip, or is cut short: pack the app as a zip and upload all of it',
  ambiguous_end: 'the comment of the zip looks like the end of a zip: pack it without a comment',
  multi_disk: 'the zip is one piece of several: pack it in one piece',
  zip64: 'the zip is in the format for large archives (zip64): pack it as a plain zip',
  directory_damaged: 'the directory of the zip is damaged: pack the app again',
  too_many_entries: `the bundle has too many files: put at most ${MAX_BUNDLE_ENTRIES} files and folders into it`,
  stray_data: 'the zip holds bytes that belong to no file, or files that share bytes: pack the app into a new zip',
  header_mismatch: 'the zip says two things about this file: pack the app again',
  encrypted: 'this file is encrypted: pack the app without a password',
  flags_unsupported: 'this file is packed in a way that is not supported: pack it stored or deflated',
  method_unsupported: 'this file is packed by another method: pack it stored or deflated',
  special_file: 'this is a link or device: put only files and folders into the bundle',
  name_not_utf8: 'the name of a file is not UTF-8: rename it',
  name_empty: 'a file has no name: pack the app again',
  name_too_long: `the name of this file is too long: use at most ${MAX_ENTRY_NAME_BYTES} bytes`,
  name_too_deep: `this file is in too many folders: nest at most ${MAX_ENTRY_DEPTH}`,
  name_absolute: 'the name of this file begins at the root or at a drive: use names within the bundle',
  name_escapes: 'the name of this file leads out of its folder: use names without `.` and `..`',
  name_backslash: 'the name of this file has a backslash: separate folders by slashes',
  name_control: 'the name of this file has a control character: rename it',
  name_segment_empty: 'the name of this file has an empty folder: use single slashes',
  name_duplicate: 'the bundle has this name twice, or in two spellings that some systems take for one: rename one',
  name_conflict: 'this name is a file and a folder at once: rename one',
  folder_not_empty: 'this folder has content of its own: pack the app again',
  file_too_large: `this file is too large: make it at most ${MAX_FILE_BYTES} bytes`,
  unpacked_too_large: `the files of the bundle are too large together: use at most ${MAX_UNPACKED_BYTES} bytes`,
  ratio: `this file stands for more than ${MAX_COMPRESSION_RATIO} times its packed size, as bombs do: pack it stored`,
  size_mismatch: 'this file is not as large as the zip says: pack the app again',
  data_damaged: 'this file cannot be unpacked: pack the app again',
  crc_mismatch: 'the content of this file is not what its checksum says: pack the app again',
  manifest_missing: 'the bundle has no manifest.toml at its root: add one',
  manifest_too_large: `manifest.toml is too large: make it at most ${MAX_MANIFEST_FILE_BYTES} bytes`,
  manifest_not_utf8: 'manifest.toml is not UTF-8: save it as UTF-8',
  manifest_not_toml: `manifest.toml is not valid TOML, or is nested deeper than ${MAX_MANIFEST_DEPTH} tables: correct it`,
  manifest_too_many_fields: `manifest.toml has too many entries: use at most ${MAX_MANIFEST_FIELDS}`,
  manifest_field_too_long: `manifest.toml has an entry that is too long: use at most ${MAX_MANIFEST_NAME_BYTES} bytes for its name and ${MAX_MANIFEST_VALUE_BYTES} for its value, ${MAX_MANIFEST_RECORD_BYTES} for all`,
  manifest_field_type: 'manifest.toml has an entry of [app] that is not text: put it in quotes',
  app_id_missing: 'manifest.toml names no app: give it a table [app] with an id',
  app_id_invalid:
    'the app id of manifest.toml is not one: use a-z, 0-9 and single dots, hyphens and underscores between them',
  app_id_mismatch: 'the bundle is of another app than was asked for: upload it under the id of its manifest.toml',
  store_type_invalid: 'the store_type of manifest.toml is none: write it as namespace:name',
}

/** A bundle that is refused: why, and in which file where it is one. */
export interface BundleProblem {
  readonly reason: BundleReason
  /** Name of the file, shortened. */
  readonly entry?: string
}

/** The bundle cannot be taken: `detail.reason` says why, `detail.entry` which file. Whoever made it has to change it. */
export class BundleInvalid extends LatticeError {
  override readonly name = 'BundleInvalid'
  readonly code = 'BUNDLE_INVALID'
  override readonly detail: Readonly<Record<string, unknown>> & BundleProblem

  constructor({ reason, entry }: BundleProblem) {
    super(entry === undefined ? SENTENCES[reason] : `\`${entry}\`: ${SENTENCES[reason]}`)
    this.detail = { reason, ...(entry !== undefined && { entry }) }
  }
}

/** Longest part of a foreign name that an error repeats. */
const MAX_SHOWN_NAME = 80

/** A problem of one file; what a terminal would act on is left out of its name. */
export function entryProblem(reason: BundleReason, name: string): BundleProblem {
  const shown = Array.from(name, (character) => (isShown(character) ? character : '?')).slice(0, MAX_SHOWN_NAME)
  return { reason, entry: shown.join('') }
}

function isShown(character: string): boolean {
  const code = character.codePointAt(0) ?? 0
  return code >= 0x20 && !(code >= 0x7f && code < 0xa0)
}
