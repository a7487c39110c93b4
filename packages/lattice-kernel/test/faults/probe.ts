import { create } from '@bufbuild/protobuf'
import { weaver } from '@lattice/proto'
import { createTestStore, at, signerOf, write } from '../harness.ts'
import { appOp } from '../tracking-projector.ts'
const which = process.argv[2]
const { kernel, genesis } = await createTestStore({})
const N=Number(process.argv[3]??4096)
const chain:any[]=[]; let prev=genesis.id
for (let n=0;n<N;n++){const p=write(signerOf(2),{prev,at:at(1,n),close:n%256===255||n===N-1});chain.push(p);prev=p.id}
let t=performance.now()
if (which==='acks'){
 const ack:any={kind:'ack',schema:0,value:create(weaver.AckOpSchema)}
 const acks=Array.from({length:64},(_,n)=>write(signerOf(100+n),{prev:genesis.id,deps:chain.slice(0,4096).map(c=>c.id),at:at(9),op:ack}))
 t=performance.now()
 await kernel.ingest(acks,undefined); console.log('acks',performance.now()-t); t=performance.now()
 for(let end=chain.length;end>0;end-=256){await kernel.ingest(chain.slice(end-256,end),undefined);if(end%1024===0||end<600)console.log(end,performance.now()-t)}
} else {
 for(let i=1;i<chain.length;i+=2048){await kernel.ingest(chain.slice(i,i+2048),undefined); console.log(i,performance.now()-t)}
 t=performance.now(); await kernel.ingest(chain.slice(0,1),undefined); console.log('cascade',performance.now()-t, kernel.stats().witnessCount)
}
await kernel.close()
