/** The part of hypercore that is measured; the package has no types of its own. */
declare module 'hypercore' {
  import type { Duplex } from 'node:stream'

  export interface HypercoreDownload {
    readonly done: () => Promise<void>
  }

  export default class Hypercore {
    constructor(directory: string, key?: Uint8Array)
    readonly key: Uint8Array
    readonly length: number
    readonly contiguousLength: number
    ready(): Promise<void>
    append(blocks: Uint8Array | readonly Uint8Array[]): Promise<unknown>
    get(index: number): Promise<Uint8Array | null>
    replicate(isInitiator: boolean, options?: { readonly keepAlive?: boolean }): Duplex
    download(range: { readonly start: number; readonly end: number }): HypercoreDownload
    close(): Promise<void>
  }
}
