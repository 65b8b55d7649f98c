#!/usr/bin/env node
// The bridge as it is run. Arguments: none; everything comes on standard input (../protocol/README.md).
import './src/silence.mjs';

const { main } = await import('./src/boot.mjs');
await main({ testbed: false });
