/**
 * Rates that readers keep together, in rows per second, and writers, in write units per second: read from one file
 * ({@code RatesFile}), divided by what each could use ({@code FairShare}), and kept to ({@code TokenBucket}). Infinity
 * stands for no limit.
 *
 * <p>Readers are given their shares by their enumerator. Writers have nobody like it: they ask for theirs ({@code
 * RateShareClient}) where the JobManager keeps the account ({@code RateShare}).
 */
package io.lindorm.flink.rate;
