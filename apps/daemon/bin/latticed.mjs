#!/usr/bin/env node
// latticed: runs a Lattice node. Continues on a newer Node where this one is too old.
import { launch } from '@lattice/runtime/launch'

await launch(import.meta.url, () => import('../dist/index.js'))
