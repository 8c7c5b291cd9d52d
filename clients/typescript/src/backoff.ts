/** When a client connects again: at once, and then later and later, no two clients at the same time. */

/** How long to wait after so many tries in vain. `random` is from 0 to below 1. */
export const delay = (tries: number, random: number, retry: number, longestRetry: number): number =>
  tries ? Math.min(retry * 2 ** (tries - 1), longestRetry) * (0.5 + random / 2) : 0;
