// Runs in a thread of its own and ends the process with its supervisor. By a signal: the main thread may be stuck.
import net from 'node:net';
import { workerData } from 'node:worker_threads';

const end = () => process.kill(process.pid, 'SIGKILL');

// Reads from now on; the boot line is out already.
const input = new net.Socket({ fd: 0, readable: true, writable: false });
for (const event of ['end', 'close', 'error']) input.on(event, end);
input.resume();
// Where the language cannot ask for a signal at its parent's death, it has to look.
setInterval(() => process.ppid === workerData.supervisor || end(), 250);
