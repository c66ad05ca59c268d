// Timers, promises and two worker threads that hash; the main thread collects garbage on the way.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { createHash } = require('crypto');
if (!isMainThread) {
  let h = String(workerData);
  for (let n = 0; n < 900000; ++n) { h = createHash('sha256').update(h + n).digest('hex'); if (n % 200000 === 0) parentPort.postMessage([workerData, n, h]); }
  parentPort.postMessage([workerData, 'end', h]);
} else {
  const seen = [];
  let ended = 0, ticks = 0, map = new Map();
  const timer = setInterval(() => { ++ticks; for (let i = 0; i < 20000; ++i) map.set('k' + (i * 7919 + ticks) % 50021, [i, { i }]); }, 20);
  for (const data of [1, 2]) new Worker(__filename, { workerData: data }).on('message', m => {
    seen.push(m.join(' '));
    if (m[1] === 'end' && ++ended === 2) { clearInterval(timer); seen.sort(); console.log(seen.join('\n')); if (ticks < 5) console.log('no ticks'); }
  });
}
