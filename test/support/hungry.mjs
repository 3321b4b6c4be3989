// Preloaded into a process: on SIGUSR2 it asks for memory until it gets no more.
process.on('SIGUSR2', () => {
  for (const kept = []; ;) kept.push(Array.from({ length: 100_000 }, () => kept));
});
