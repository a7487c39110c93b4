/**
 * The data model of Lattice and the ports everything else is given.
 *
 * @module
 */
export type { AbortController, AbortSignal } from './abort.ts'
export { createAbortController } from './abort.ts'
export { assert, InvariantViolation, unreachable } from './assert.ts'
export { type AsyncQueue, createAsyncQueue } from './async-queue.ts'
export type { Brand } from './brand.ts'
export { type Broadcast, createBroadcast, isLagged, type Lagged } from './broadcast.ts'
export { createByteSlab } from './byte-slab.ts'
export { compareBytes, concatBytes, equalBytes, fromHex, isAscending, toHex, utf8Decode, utf8Encode } from './bytes.ts'
export type { Crypto, KeyPair } from './crypto-port.ts'
export {
  isLatticeError,
  isLatticeErrorCode,
  LATTICE_ERROR_CODES,
  LatticeError,
  type LatticeErrorCode,
} from './errors.ts'
export {
  createForkProof,
  decodeForkProof,
  encodeForkProof,
  type ForkProof,
  type ForkProofError,
  type ProvenFork,
  verifyForkProof,
} from './fork-proof.ts'
export { compareEpochs, type NumberedEpoch } from './epoch-rank.ts'
export { createGenesis, type GenesisInfo, genesisStoreId, type NotGenesis, readGenesis } from './genesis.ts'
export {
  compareHlc,
  createHlc,
  EARLIEST_CLOCK_MS,
  formatHlc,
  type Hlc,
  HLC_ZERO,
  type HybridClock,
  isHlc,
} from './hlc.ts'
export {
  type Hash,
  HASH_BYTES,
  type IdKey,
  idKey,
  idKeyBytes,
  type IntentionId,
  parseIntentionId,
  parsePublicKey,
  parseStoreId,
  PUBLIC_KEY_BYTES,
  type PublicKey,
  readHash,
  readIntentionId,
  readPublicKey,
  readSignature,
  readStoreId,
  SECRET_KEY_BYTES,
  type SecretKey,
  type Seed,
  SEED_BYTES,
  type Signature,
  SIGNATURE_BYTES,
  type StoreId,
  toHash,
  toIntentionId,
  toPublicKey,
  toSecretKey,
  toSeed,
  toSignature,
  toStoreId,
  toWitnessSeq,
  type WitnessSeq,
  ZERO_HASH,
} from './ids.ts'
export type { FloatReason, IngestOutcome } from './ingest-outcome.ts'
export { intentionToSExpr, type SummarizeOp } from './intention-sexpr.ts'
export { decodeIntention, encodedIntentionBytes, encodeIntention, INTENTION_VERSION } from './intention-codec.ts'
export { createIntentionReader, type IntentionReader } from './intention-reader.ts'
export {
  causesOf,
  type Hints,
  type Intention,
  type IntentionError,
  type IntentionErrorCode,
  isGenesis,
  NO_HINTS,
  type SignedIntention,
  sortDeps,
} from './intention.ts'
export {
  GENESIS_NONCE_BYTES,
  MAX_CAUSAL_DEPS,
  MAX_DRIFT_MS,
  MAX_FRAME_BYTES,
  MAX_HLC_COUNTER,
  MAX_INTENTION_BYTES,
  MAX_KERNEL_CAUSAL_DEPS,
  MAX_KEY_BYTES,
  MAX_OPS_BYTES,
  MAX_RUN_LENGTH,
  MAX_SIGNED_INTENTION_BYTES,
  MAX_STORE_TYPE_BYTES,
  MAX_WALL_MS,
  MAX_XOF_BYTES,
  SIGNED_INTENTION_OVERHEAD,
} from './limits.ts'
export {
  type Cancel,
  type Clock,
  type LogFields,
  type Logger,
  type Random,
  type Scheduler,
  silentLogger,
} from './ports.ts'
export { type Err, err, type Ok, ok, type Result } from './result.ts'
export { closedBy, type RunError, verifyRun } from './run.ts'
export { createScope, type Scope, ScopeClosed, type ScopeOptions } from './scope.ts'
export { type FormatSExprOptions, formatSExpr, MAX_SEXPR_DEPTH } from './sexpr-format.ts'
export { DEFAULT_SEXPR_LIMITS, parseSExpr, type SExprError, type SExprLimits } from './sexpr-parse.ts'
export { int, list, raw, type SExpr, str, sym } from './sexpr.ts'
export {
  intentionId,
  isSigned,
  mustClose,
  type ParsedIntention,
  parseSignedIntention,
  signIntention,
  type SignIntentionOptions,
  verifyIntention,
  verifyParsed,
} from './signed-intention.ts'
export { createSigner, SIGNATURE_TAGS, type SignatureTag, type Signer, signTagged, verifyTagged } from './signing.ts'
export { parseStoreType, type StoreType, type StoreTypeError } from './store-type.ts'
export { prefixRange, type ReadTable, type TableRange, type TableRow, type WriteTable } from './table.ts'
export {
  decodeUniversalOp,
  encodeUniversalOp,
  isKernelOp,
  type KnownOp,
  type OpKind,
  type UniversalOp,
  universalOpMessage,
  type UnknownOp,
} from './universal-op.ts'
export { maxDepsOf, validateIntention } from './validate-intention.ts'
export { readVarint, varintBytes, writeVarint } from './varint.ts'
export type { SignatureClaim, Verifier } from './verifier-port.ts'
export {
  decodeWitnessContent,
  encodeWitnessContent,
  hashWitnessContent,
  signWitness,
  type WitnessContent,
  type WitnessContentError,
  witnessHash,
  type WitnessRecord,
} from './witness-content.ts'
export {
  type CheckedWitnessPage,
  checkWitnessPage,
  type WitnessPageCheck,
  type WitnessPageError,
} from './witness-page.ts'
