// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

/** Sums of losses and right answers over some images. */
final class Tally {
  private double loss;
  private long correct;
  private long images;

  void add(float[] losses, int[] right, int[] labels) {
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] >= 0) {
        loss += losses[i];
        correct += right[i];
        images++;
      }
    }
  }

  void add(Tally other) {
    loss += other.loss;
    correct += other.correct;
    images += other.images;
  }

  void clear() {
    loss = 0;
    correct = 0;
    images = 0;
  }

  long images() {
    return images;
  }

  double meanLoss() {
    return loss / images;
  }

  double accuracy() {
    return (double) correct / images;
  }

  /** The sums as text, exactly. */
  String encode() {
    return Double.toHexString(loss) + "," + correct + "," + images;
  }

  static Tally decode(String text) {
    String[] f = text.split(",", -1);
    if (f.length != 3) {
      throw new IllegalArgumentException("sums have 3 numbers, not '" + text + "'");
    }
    Tally tally = new Tally();
    tally.loss = Double.parseDouble(f[0]);
    tally.correct = Long.parseLong(f[1]);
    tally.images = Long.parseLong(f[2]);
    return tally;
  }
}
