import { library } from '../../scripts/tsup.ts'

export default library(['src/index.ts', 'src/page-check-worker.ts', 'src/fold-copy-worker.ts'])
