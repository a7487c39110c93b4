/**
 * What many seeds came to, taken together.
 *
 * @module
 */
import { drawPlan } from './plan.ts'
import { replayCommand } from './failure.ts'
import type { SeedReport } from './run-seeds.ts'

export interface SimSummary {
  readonly seeds: number
  readonly nodes: number
  readonly minutes: number
  readonly tookMs: number
  readonly cpuMsPerSeed: number
  readonly events: number
  readonly sessions: number
  readonly messages: number
  readonly bytes: number
  readonly writes: number
  readonly virtualMs: number
  /** How long it took to come together once nothing was wrong any more. */
  readonly healMs: { readonly median: number; readonly p99: number; readonly max: number }
  readonly faults: Readonly<Record<string, number>>
  readonly slowest: readonly { readonly seed: number; readonly cpuMs: number }[]
  readonly failed: readonly {
    readonly seed: number
    readonly invariant: string
    readonly replay: string
    readonly text: string
  }[]
}

const SLOWEST_SHOWN = 3

interface SummaryOptions {
  readonly nodes: number
  readonly minutes: number
  readonly tookMs: number
}

export function summarize(reports: readonly SeedReport[], { nodes, minutes, tookMs }: SummaryOptions): SimSummary {
  const passed = reports.flatMap((report) => (report.kind === 'passed' ? [report.result] : []))
  const sum = (of: (result: (typeof passed)[number]) => number): number =>
    passed.reduce((all, each) => all + of(each), 0)
  const heals = passed.map(({ healMs }) => healMs).sort((a, b) => a - b)
  const quantile = (part: number): number => heals[Math.min(heals.length - 1, Math.floor(heals.length * part))] ?? 0
  const faults: Record<string, number> = {}
  for (const result of passed) {
    for (const [kind, count] of Object.entries(result.faults)) faults[kind] = (faults[kind] ?? 0) + count
  }
  return {
    seeds: reports.length,
    nodes,
    minutes,
    tookMs,
    cpuMsPerSeed: Math.round(reports.reduce((all, { cpuMs }) => all + cpuMs, 0) / Math.max(1, reports.length)),
    events: sum(({ events }) => events),
    sessions: sum(({ sessions }) => sessions),
    messages: sum(({ messages }) => messages),
    bytes: sum(({ bytes }) => bytes),
    writes: sum(({ writes }) => writes),
    virtualMs: sum(({ virtualMs }) => virtualMs),
    healMs: { median: quantile(0.5), p99: quantile(0.99), max: heals.at(-1) ?? 0 },
    faults,
    slowest: [...reports]
      .sort((a, b) => b.cpuMs - a.cpuMs)
      .slice(0, SLOWEST_SHOWN)
      .map(({ seed, cpuMs }) => ({ seed, cpuMs })),
    failed: reports.flatMap((report) => {
      if (report.kind === 'passed') return []
      const { seed, invariant, text } = report
      return [{ seed, invariant, text, replay: replayCommand(drawPlan({ seed, nodes, minutes })) }]
    }),
  }
}

export function renderSummary(summary: SimSummary): string {
  const { healMs } = summary
  const rows: readonly (readonly [string, string])[] = [
    ['seeds', `${summary.seeds}, ${summary.failed.length} failed`],
    ['each', `${summary.nodes} nodes, ${summary.minutes} virtual minutes of faults, ${summary.cpuMsPerSeed} ms of CPU`],
    ['took', `${(summary.tookMs / 1000).toFixed(1)} s for ${(summary.virtualMs / 3_600_000).toFixed(1)} virtual hours`],
    ['events', `${summary.events}`],
    ['sessions', `${summary.sessions}`],
    ['sent', `${summary.messages} messages, ${(summary.bytes / 1e6).toFixed(1)} MB of streams`],
    ['writes', `${summary.writes} acknowledged`],
    ['healed in', `${healMs.median} ms (median), ${healMs.p99} ms (p99), ${healMs.max} ms at most`],
    ['slowest', summary.slowest.map(({ seed, cpuMs }) => `${seed} (${cpuMs} ms)`).join(', ')],
    [
      'happened',
      Object.entries(summary.faults)
        .filter(([, count]) => count > 0)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(', '),
    ],
  ]
  const lines = rows.map(([name, value]) => `${name.padEnd(10)} ${value}`)
  const failures = summary.failed.map(({ seed, invariant, replay }) => `seed ${seed}: ${invariant}\n  ${replay}`)
  return `${[...lines, ...failures].join('\n')}\n`
}
