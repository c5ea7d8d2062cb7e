// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

/**
 * One line of a report: ours beside a peer's, from one interleaved run.
 *
 * @param name the case, such as {@code b0@224/train/batch8/f32}
 * @param metric what is measured, a time
 * @param peer whose time stands beside ours
 * @param ours our time
 * @param theirs the peer's time
 * @param limit the highest ratio that is aimed at; NaN where there is none
 * @param error relative error of our result against the peer's, as 2-norms; NaN where there is none
 *     to compare
 */
record Measurement(
    String name,
    String metric,
    String peer,
    Timing ours,
    Timing theirs,
    double limit,
    double error) {

  /** Ours over theirs: below 1 we are faster. */
  double ratio() {
    return ours.median() / theirs.median();
  }
}
