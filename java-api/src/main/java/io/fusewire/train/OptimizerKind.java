// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import java.util.Locale;

/** The optimizers, with the constants that suit each. */
public enum OptimizerKind {
  /** SGD with Nesterov momentum. */
  SGD(0.9, 0, 0, 0.4),
  /** TensorFlow's RMSProp as EfficientNet was trained: decay 0.9, epsilon 1e-3 inside the root. */
  RMSPROP(0.9, 0.9, 1e-3, 0.016),
  /** AdamW (arXiv 1711.05101): beta 0.9 and 0.999, epsilon 1e-8. */
  ADAMW(0.9, 0.999, 1e-8, 0.016);

  private final double momentum;
  private final double decay;
  private final double epsilon;
  private final double usualLearningRate;

  OptimizerKind(double momentum, double decay, double epsilon, double usualLearningRate) {
    this.momentum = momentum;
    this.decay = decay;
    this.epsilon = epsilon;
    this.usualLearningRate = usualLearningRate;
  }

  /**
   * Usual momentum; AdamW's first beta.
   *
   * @return a number below 1
   */
  public double momentum() {
    return momentum;
  }

  /**
   * RMSProp's decay of the mean square; AdamW's second beta; 0 for SGD.
   *
   * @return a number below 1
   */
  public double decay() {
    return decay;
  }

  /**
   * What keeps the division from zero.
   *
   * @return inside the root for RMSProp, outside for AdamW
   */
  public double epsilon() {
    return epsilon;
  }

  /**
   * Usual highest learning rate for 256 images per step.
   *
   * @return above 0
   */
  public double usualLearningRate() {
    return usualLearningRate;
  }

  /**
   * Finds an optimizer by name.
   *
   * @param name such as {@code rmsprop}
   * @return the optimizer
   * @throws IllegalArgumentException if there is none of that name; the message lists those there
   *     are
   */
  public static OptimizerKind byName(String name) {
    return Names.find(OptimizerKind.class, "optimizer", name);
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
