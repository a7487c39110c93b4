/**
 * What app ids and subdomains may be. `apply` reads these rules, so a change of them is a new schema version.
 *
 * Pure.
 *
 * @module
 */
import { MAX_APP_ID_BYTES, MAX_SUBDOMAIN_BYTES } from './limits.ts'

/** Letters of one case only, so that no two ids look alike; a part of every store's app id rule. */
const APP_ID = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/

/** A label of a domain name (RFC 1123). */
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/

/** `xn--` and its kind, which browsers show as other text (RFC 5891). */
const ENCODED_LABEL = /^..--/

/** What a node serves itself, now or later, beside its apps. */
const RESERVED: ReadonlySet<string> = new Set(['admin', 'api', 'lattice', 'localhost', 'www'])

/** `notes`, `com.example.notes`. */
export function isAppId(text: string): boolean {
  return text.length <= MAX_APP_ID_BYTES && APP_ID.test(text)
}

export type SubdomainProblem = 'subdomain_malformed' | 'subdomain_reserved'

/** Undefined for a subdomain that an app may have. */
export function checkSubdomain(text: string): SubdomainProblem | undefined {
  if (text.length > MAX_SUBDOMAIN_BYTES || !LABEL.test(text) || ENCODED_LABEL.test(text)) return 'subdomain_malformed'
  return RESERVED.has(text) ? 'subdomain_reserved' : undefined
}
