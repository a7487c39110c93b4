import { expect, test } from 'vitest'
import { summarize } from './checks.mjs'

const file = (status, ...assertions) => ({ status, assertionResults: assertions.map((result) => ({ status: result })) })
const reportOf = (...testResults) => {
  const count = (status) =>
    testResults.flatMap((entry) => entry.assertionResults).filter((a) => a.status === status).length
  return { numPassedTests: count('passed'), numFailedTests: count('failed'), testResults }
}

test('counts are vitest’s own when all is well', () => {
  const { ok, counts } = summarize(reportOf(file('passed', 'passed', 'passed')), { ok: true, output: '' })
  expect({ ok, counts }).toEqual({ ok: true, counts: { passed: 2, failed: 0 } })
})

test('a file that cannot be loaded is a failure', () => {
  const { ok, counts } = summarize(reportOf(file('passed', 'passed'), file('failed')), { ok: false, output: '' })
  expect({ ok, counts }).toEqual({ ok: false, counts: { passed: 1, failed: 1 } })
})

test('a run that failed without a failing test is a failure', () => {
  expect(summarize(reportOf(file('passed', 'passed')), { ok: false, output: '' }).counts.failed).toBe(1)
})

test('a failing test is counted once', () => {
  expect(summarize(reportOf(file('failed', 'failed', 'passed')), { ok: false, output: '' }).counts).toEqual({
    passed: 1,
    failed: 1,
  })
})
