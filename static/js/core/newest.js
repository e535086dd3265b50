/** Tables that remember the newest few: what others can make us remember is bounded everywhere. */

/**
 * Forgets the oldest of a table that has grown by one; in order of insertion, as sets and maps are.
 * @param {Set<any> | Map<any, any>} table
 * @param {number} most
 */
export function keepNewest(table, most) {
  if (table.size > most) table.delete(table.keys().next().value);
}
