/**
 * Failures of the root store's methods, beside those of any machine.
 *
 * @module
 */
import { LatticeError } from '@lattice/model'

/** There is no app or bundle of that name. */
export class NotRegistered extends LatticeError {
  override readonly name = 'NotRegistered'
  readonly code = 'VALUE_NOT_FOUND'
  override readonly detail: { readonly kind: 'app' | 'bundle'; readonly id: string }

  constructor(kind: 'app' | 'bundle', id: string) {
    super(
      kind === 'app'
        ? `there is no app at \`${id}\`: see which there are with ListApps`
        : `there is no bundle of \`${id}\`: see which there are with ListBundles`,
    )
    this.detail = { kind, id }
  }
}

/** Parts of the bundle are not here, so its content cannot be read. */
export class BundleIncomplete extends LatticeError {
  override readonly name = 'BundleIncomplete'
  readonly code = 'WRONG_STATE'
  override readonly detail: { readonly appId: string; readonly missingParts: number }

  constructor(appId: string, missing: number) {
    super(`the bundle of \`${appId}\` lacks ${missing} of its parts, which were dropped: upload it again`)
    this.detail = { appId, missingParts: missing }
  }
}

/** An epoch came between the parts of a bundle and its record, so the record cannot list them. */
export class UploadOvertaken extends LatticeError {
  override readonly name = 'UploadOvertaken'
  readonly code = 'WRONG_STATE'
  override readonly detail: { readonly appId: string }

  constructor(appId: string) {
    super(
      `history was marked while the bundle of \`${appId}\` was uploaded, and its parts are before the mark: upload it again`,
    )
    this.detail = { appId }
  }
}

/** The bundle is another one than was asked for, or is not what its record says. */
export class BundleChanged extends LatticeError {
  override readonly name = 'BundleChanged'
  readonly code = 'WRONG_STATE'
  override readonly detail: { readonly appId: string }

  constructor(appId: string) {
    super(`the bundle of \`${appId}\` is not the one that was asked for: begin the download again`)
    this.detail = { appId }
  }
}
