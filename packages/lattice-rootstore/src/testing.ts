/**
 * Makes bundles for tests and examples.
 *
 * @module
 */
export { appManifest, buildZip, type ZipFields, type ZipOptions, type ZipSource } from './testing/build-zip.ts'
