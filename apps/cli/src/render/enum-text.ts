/**
 * Values of an enum as a person reads them.
 *
 * @module
 */
import type { DescEnum } from '@bufbuild/protobuf'

/** `PEER_STATUS_ACTIVE` of `PeerStatus` reads `active`; an unknown value is its number. */
export function enumText(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName.toLowerCase().replaceAll('_', '-') ?? String(value)
}
