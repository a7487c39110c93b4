/**
 * What tests of Lattice are built with. Imported by tests only.
 *
 * @module
 */
export {
  convergesUnderAnyOrder,
  type ConvergenceOptions,
  type DagPayload,
  projectorConvergesUnderAnyOrder,
} from './converges-under-any-order.ts'
export { buildDag, DAG_AUTHORS, type DagOp, type DagPlan, dagPlans, type OpDag } from './op-dag.ts'
export { createSimMesh, type SimMesh, type SimMeshOptions, type SimPeer } from './sim-mesh.ts'
export { SimulationFailed, type SimulationFinding, type SimulationMoment } from './simulation/failure.ts'
export type { FaultKind, HostileHabit } from './simulation/kinds.ts'
export {
  DEFAULT_MINUTES,
  DEFAULT_NODES,
  MAX_NODES,
  type SimulationOptions,
  type SimulationPlan,
} from './simulation/plan.ts'
export { type PreparedMesh, prepareMesh, type SharedStores } from './simulation/prepared-mesh.ts'
export { HEAL_DEADLINE_MS, type RunOptions, runSimulation, type SimulationResult } from './simulation/run-simulation.ts'
export { createVirtualTime, DEFAULT_PATIENCE_MS, type VirtualTime } from './virtual-time.ts'
export { createTracker, nullMachine, trackedPayload, type TrackedViolation, type Tracker } from './test-machines.ts'
