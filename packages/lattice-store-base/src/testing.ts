/**
 * Runs a state machine without a node, for tests and examples.
 *
 * @module
 */
export { createMachineHost, type ForeignOp, type MachineHost, type MachineHostOptions } from './testing/machine-host.ts'
