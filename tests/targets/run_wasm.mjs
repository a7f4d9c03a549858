// Runs a network of machine_wasm.c: node run_wasm.mjs NET.wasm < inputs > outputs
import { readFileSync, writeSync } from 'node:fs';

const inputs = readFileSync(0);
let taken = 0, memory;
const env = {
    take(at, bytes) {
        if (taken + bytes > inputs.length)
            return 1;
        new Uint8Array(memory.buffer, at, bytes).set(inputs.subarray(taken, taken + bytes));
        taken += bytes;
        return 0;
    },
    give(at, bytes) {
        const from = new Uint8Array(memory.buffer, at, bytes);
        for (let done = 0; done < bytes;)
            done += writeSync(1, from, done);
        return 0;
    },
};
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { env });
memory = instance.exports.memory;
process.exit(instance.exports.harness_main());
