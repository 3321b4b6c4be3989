// Preloaded with `--import`: the wall clock of the process and of its children is set to other years again
// and again, as a user, a time server or a machine that wakes up may set it.
const real = Date;
const YEAR = 365 * 86_400_000;
const shifts = [0, 10 * YEAR, -2 * YEAR, 3_600_000, -3_600_000];
let turn = 0;
setInterval(() => {
  turn += 1;
}, 150).unref();

globalThis.Date = class extends real {
  constructor(...parts) {
    if (parts.length === 0) super(globalThis.Date.now());
    else super(...parts);
  }

  static now() {
    return real.now() + shifts[turn % shifts.length];
  }
};
