// `npm run check`: the static checks alone, for editors and hooks.
process.argv.push('check');
await import('./run-all.mjs');
