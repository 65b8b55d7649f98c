#!/usr/bin/env node
// The bridge that takes anybody's certificates, for Columba's testbed only. It says so in its hello, and a supervisor that
// was not told of a test server refuses it.
import './src/silence.mjs';

const { main } = await import('./src/boot.mjs');
await main({ testbed: true });
