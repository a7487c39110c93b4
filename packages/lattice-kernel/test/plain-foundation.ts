/**
 * Foundations of histories that nobody acknowledged: acks of whoever has to are made up.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import {
  encodeUniversalOp,
  equalBytes,
  idKey,
  type IntentionId,
  NO_HINTS,
  type ParsedIntention,
  type PublicKey,
  readPublicKey,
  type SignedIntention,
  type Signer,
  signIntention,
} from '@lattice/model'
import { weaver } from '@lattice/proto'
import { expect } from 'vitest'
import { createFoundationWriter, type FoundationItem, type Kernel } from '../src/index.ts'
import { modelPolicy } from './cutoff-history.ts'
import { createCutoffProjector } from './cutoff-projector.ts'
import {
  crypto,
  openTestKernel,
  signerOf,
  START_MS,
  temporaryDirectory,
  type TestKernel,
  type TestKernelOptions,
} from './harness.ts'
import { toldChainEnds } from './model-chain-ends.ts'
import { openAuthority } from './tracking-projector.ts'

/** What all bytes of the root are that is vouched for. */
const VOUCHED_ROOT = 7
/** Whose logs are founded. */
const FOUNDER = 99

/** A kernel that takes whatever follows the rules, with state or without. */
export async function openPlain(options: TestKernelOptions): Promise<TestKernel> {
  const about = { ackDelayMs: Infinity, membership: modelPolicy, authority: openAuthority }
  return openTestKernel({ ...about, projector: createCutoffProjector(), ...options })
}

function signerWith(key: PublicKey): Signer {
  for (let number = 1; number <= 8; number += 1)
    if (equalBytes(signerOf(number).publicKey, key)) return signerOf(number)
  throw new Error('every author has a signer')
}

/** What its author, and those it names, say of the state at an epoch, and of where chains end by its foundation. */
export function vouchersOf(
  epoch: ParsedIntention,
  items: readonly FoundationItem[],
  root: number = VOUCHED_ROOT,
): readonly SignedIntention[] {
  const state = { stateRoot: new Uint8Array(32).fill(root), chainEnds: toldChainEnds(items) }

  const { author } = epoch.intention
  const required = epoch.op.kind === 'epoch' ? epoch.op.value.requiredAcks : []
  return [author, ...required.flatMap((bytes) => readPublicKey(bytes) ?? [])].map((key) => ackOf(epoch, key, state))
}

function ackOf(
  epoch: ParsedIntention,
  author: PublicKey,
  state: { readonly stateRoot: Uint8Array; readonly chainEnds: Uint8Array },
): SignedIntention {
  const { timestamp } = epoch.intention
  return signIntention(crypto, signerWith(author), {
    intention: {
      author,
      timestamp: { wall: timestamp.wall, counter: timestamp.counter + 1 },
      storePrev: epoch.id,
      causalDeps: [epoch.id],
      hints: NO_HINTS,
      ops: encodeUniversalOp({
        kind: 'epochAck',
        schema: 0,
        value: create(weaver.EpochAckOpSchema, { epoch: epoch.id, ...state }),
      }),
    },
    close: true,
  })
}

/** Epochs that have effect. */
export function counting(kernel: Kernel): readonly IntentionId[] {
  const excluded = new Set(kernel.excluded(4096).flatMap(({ id, isLink }) => (isLink ? [] : [idKey(id)])))
  return kernel.epochs().flatMap(({ id, fault }) => (fault === undefined && !excluded.has(idKey(id)) ? [id] : []))
}

/** The log of a foundation in a directory of its own. */
export function foundLog(
  kernel: Kernel,
  items: readonly FoundationItem[],
  epoch: ParsedIntention,
  signer: Signer = signerOf(FOUNDER),
): string {
  const directory = temporaryDirectory()
  const about = { directory, storeId: kernel.storeId, crypto, signer, membership: modelPolicy }
  const writer = createFoundationWriter({ ...about, clock: { wallMs: () => START_MS } })
  expect(writer.add([...items, ...vouchersOf(epoch, items).map((ack) => ({ kind: 'ack', ack }) as const)])).toEqual({
    ok: true,
    value: undefined,
  })
  expect(writer.finish()).toEqual({ ok: true, value: { base: epoch.id, root: new Uint8Array(32).fill(VOUCHED_ROOT) } })
  writer.close()
  return directory
}
