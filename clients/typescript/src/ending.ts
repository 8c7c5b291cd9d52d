/** What a client does when its socket ends. */

/** Connects again at once. */
export const AGAIN = 0;
/** Connects again, and not at once. */
export const LATER = 1;
/** Begins another session. */
export const ANEW = 2;
/** Does not connect again. */
export const NEVER_AGAIN = 3;

/** What to do after this close code. A socket that just ends has 1006. */
export function after(code: number): number {
  // A message that is too large, or that the other side cannot read, would be sent again for ever.
  if (code > 4201 || /^10(0[023789]|10)$/.test("" + code)) return NEVER_AGAIN;
  if (code === 4200) return ANEW;
  // With another token, after 4201: it asks for one whenever it connects.
  return code > 4099 && code < 4200 ? LATER : AGAIN;
}
