// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;

/**
 * Which optimizer, and what does not change from step to step. Start with {@link #sgd}, {@link
 * #rmsProp} or {@link #adamW}; learning rate and momentum are of the step, in {@link StepState}.
 * Values out of range are an {@link IllegalArgumentException}.
 *
 * @param kind update rule
 * @param nesterov SGD: Nesterov's momentum
 * @param decay RMSProp: decay of the mean square; AdamW: beta2
 * @param epsilon RMSProp: inside the root; AdamW: outside
 * @param clipNorm more than 0: gradients are scaled down to this 2-norm; 0: they are not
 * @param dynamicLossScale whether the loss scale grows and backs off
 * @param growthFactor factor of growth, at least 1
 * @param backoffFactor factor after an overflow, more than 0 and at most 1
 * @param growthInterval steps without overflow before growth, at least 1
 */
public record OptimizerSettings(
    Kind kind,
    boolean nesterov,
    float decay,
    float epsilon,
    float clipNorm,
    boolean dynamicLossScale,
    float growthFactor,
    float backoffFactor,
    int growthInterval) {

  /** Update rule; g is the gradient with weight decay, where not said otherwise. */
  public enum Kind {
    /** v = momentum*v + g; p -= lr*v, or with Nesterov p -= lr*(g + momentum*v). */
    SGD(Fusewire.FW_SGD, 1),
    /** TensorFlow's: s = decay*s + (1-decay)*g*g; v = momentum*v + lr*g/sqrt(s+epsilon); p -= v. */
    RMSPROP(Fusewire.FW_RMSPROP, 2),
    /**
     * m = b1*m + (1-b1)*g; s = b2*s + (1-b2)*g*g; p -= lr*(m/c1/(sqrt(s/c2)+epsilon) + decay*p),
     * with g the plain gradient (arXiv 1711.05101).
     */
    ADAMW(Fusewire.FW_ADAMW, 2);

    private final int code;
    private final int states;

    Kind(int code, int states) {
      this.code = code;
      this.states = states;
    }

    /**
     * How many state tensors a parameter has: state0 is the momentum (or first moment); state1, if
     * there are two, the mean square (RMSProp's starts at 1) or second moment.
     *
     * @return 1 or 2
     */
    public int states() {
      return states;
    }

    int code() {
      return code;
    }
  }

  /**
   * Checks the values.
   *
   * @param kind update rule
   * @param nesterov SGD: Nesterov's momentum
   * @param decay RMSProp: decay of the mean square; AdamW: beta2
   * @param epsilon RMSProp: inside the root; AdamW: outside
   * @param clipNorm more than 0: gradients are scaled down to this 2-norm; 0: they are not
   * @param dynamicLossScale whether the loss scale grows and backs off
   * @param growthFactor factor of growth, at least 1
   * @param backoffFactor factor after an overflow, more than 0 and at most 1
   * @param growthInterval steps without overflow before growth, at least 1
   * @throws IllegalArgumentException if one is out of range
   */
  public OptimizerSettings {
    Checks.notNull("OptimizerSettings", "kind", kind);
    range("decay", decay, 0, 1);
    range("epsilon", epsilon, 0, Float.MAX_VALUE);
    range("clipNorm", clipNorm, 0, Float.MAX_VALUE);
    range("growthFactor", growthFactor, 1, Float.MAX_VALUE);
    range("backoffFactor", backoffFactor, Float.MIN_VALUE, 1);
    Checks.positive("OptimizerSettings", "growthInterval", growthInterval);
  }

  private static void range(String name, float value, float least, float most) {
    if (!(value >= least && value <= most)) {
      throw new IllegalArgumentException(
          "OptimizerSettings: "
              + name
              + " is "
              + value
              + ", from "
              + least
              + " to "
              + most
              + " fits");
    }
  }

  private static OptimizerSettings of(Kind kind, boolean nesterov, float decay, float epsilon) {
    return new OptimizerSettings(kind, nesterov, decay, epsilon, 0, false, 2, 0.5f, 2000);
  }

  /**
   * SGD with momentum.
   *
   * @param nesterov whether momentum is Nesterov's
   * @return settings without clipping, with a fixed loss scale
   */
  public static OptimizerSettings sgd(boolean nesterov) {
    return of(Kind.SGD, nesterov, 0, 0);
  }

  /**
   * TensorFlow's RMSProp with momentum.
   *
   * @param decay of the mean square; EfficientNet uses 0.9
   * @param epsilon inside the root; EfficientNet uses 1e-3
   * @return settings without clipping, with a fixed loss scale
   */
  public static OptimizerSettings rmsProp(float decay, float epsilon) {
    return of(Kind.RMSPROP, false, decay, epsilon);
  }

  /**
   * AdamW.
   *
   * @param beta2 decay of the second moment, such as 0.999
   * @param epsilon outside the root, such as 1e-8
   * @return settings without clipping, with a fixed loss scale
   */
  public static OptimizerSettings adamW(float beta2, float epsilon) {
    return of(Kind.ADAMW, false, beta2, epsilon);
  }

  /**
   * These settings with gradients clipped.
   *
   * @param norm greatest 2-norm of all gradients together; 0 does not clip
   * @return new settings
   */
  public OptimizerSettings withClipNorm(float norm) {
    return new OptimizerSettings(
        kind,
        nesterov,
        decay,
        epsilon,
        norm,
        dynamicLossScale,
        growthFactor,
        backoffFactor,
        growthInterval);
  }

  /**
   * These settings with a loss scale that grows and backs off.
   *
   * @param growth factor of growth, such as 2
   * @param backoff factor after an overflow, such as 0.5
   * @param interval steps without overflow before growth, such as 2000
   * @return new settings
   */
  public OptimizerSettings withDynamicLossScale(float growth, float backoff, int interval) {
    return new OptimizerSettings(
        kind, nesterov, decay, epsilon, clipNorm, true, growth, backoff, interval);
  }
}
