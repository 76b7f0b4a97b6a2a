/**
 * How many tokens of a window an expert runs, which ones, and what becomes of the others: windows,
 * formulas, the order of admission, the next expert, the weights of survivors, and the accounts.
 * Plain Java.
 */
package io.flinkmoe.capacity;
