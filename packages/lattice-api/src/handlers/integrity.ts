/**
 * Verifying and repairing stores.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import type { AbortSignal } from '@lattice/model'
import type { RepairResult, StoreHandle, VerifyReport } from '@lattice/node'
import { daemon } from '@lattice/proto'
import { reportProgress } from './report-progress.ts'

const OUTCOMES: Readonly<Record<VerifyReport['outcome'], daemon.VerifyOutcome>> = {
  sound: daemon.VerifyOutcome.SOUND,
  indexes: daemon.VerifyOutcome.INDEXES,
  records: daemon.VerifyOutcome.RECORDS,
}
const REPAIRS: Readonly<Record<RepairResult['kind'], daemon.RepairOutcome>> = {
  sound: daemon.RepairOutcome.SOUND,
  rebuilt: daemon.RepairOutcome.REBUILT,
  restored: daemon.RepairOutcome.RESTORED,
}
const NONE = new Uint8Array(0)

export function verifyStore(
  store: StoreHandle,
  { full }: daemon.VerifyRequest,
  signal: AbortSignal,
): AsyncGenerator<daemon.VerifyProgress> {
  return reportProgress<daemon.VerifyProgress>(signal, async (report) => {
    const found = await store.verify({
      full,
      signal,
      onProgress: ({ part, done, total }) => {
        const step = { part, done: BigInt(done), total: BigInt(total) }
        report(create(daemon.VerifyProgressSchema, { progress: { case: 'step', value: step } }))
      },
    })
    const value = toVerifyReport(store, found)
    report(create(daemon.VerifyProgressSchema, { progress: { case: 'report', value } }))
  })
}

export function repairStore(
  store: StoreHandle,
  { withoutPeer, acceptFork }: daemon.RepairRequest,
  signal: AbortSignal,
): AsyncGenerator<daemon.RepairProgress> {
  return reportProgress<daemon.RepairProgress>(signal, async (report) => {
    const result = await store.repair({
      withoutPeer,
      acceptFork,
      signal,
      onProgress: ({ stage, done, total }) => {
        const step = { stage, done: BigInt(done), total: BigInt(total) }
        report(create(daemon.RepairProgressSchema, { progress: { case: 'step', value: step } }))
      },
    })
    const value = toRepairResult(store, result)
    report(create(daemon.RepairProgressSchema, { progress: { case: 'result', value } }))
  })
}

function toVerifyReport(store: StoreHandle, report: VerifyReport): daemon.VerifyReport {
  const { records, intentionSignatures, witnessSignatures } = report
  return create(daemon.VerifyReportSchema, {
    storeId: store.id,
    outcome: OUTCOMES[report.outcome],
    full: report.full,
    recordsChecked: BigInt(records.checked),
    recordsTotal: BigInt(records.total),
    signaturesChecked: BigInt(intentionSignatures.checked + witnessSignatures.checked),
    signaturesTotal: BigInt(intentionSignatures.total + witnessSignatures.total),
    causes: BigInt(report.causes),
    indexEntries: BigInt(report.indexEntries),
    stateRows: BigInt(report.stateRows),
    unchecked: [...report.unchecked],
    problems: report.problems.map(({ kind, seq, id, what }) => ({
      kind,
      seq: BigInt(seq ?? 0),
      intentionId: id ?? NONE,
      what,
    })),
    problemCount: BigInt(report.problemCount),
    goodBefore: BigInt(report.goodBefore),
    goodAfter: BigInt(report.goodAfter),
  })
}

function toRepairResult(store: StoreHandle, result: RepairResult): daemon.RepairResult {
  return create(daemon.RepairResultSchema, {
    storeId: store.id,
    outcome: REPAIRS[result.kind],
    records: BigInt(result.records),
    lost: BigInt(result.lost),
    salvaged: BigInt(result.salvaged),
    waiting: BigInt(result.waiting),
    fetchedFrom: result.fetchedFrom ?? NONE,
    kept: result.kept ?? '',
    held: result.held ?? '',
    report: toVerifyReport(store, result.report),
  })
}
