/** What several operators use: keys, watermarks and window counts in state, the local bundle. */
package io.flinkmoe.runtime.shared;
