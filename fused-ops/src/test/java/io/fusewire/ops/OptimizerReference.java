// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/**
 * One parameter under an optimizer, in double precision; formulas as in {@link
 * OptimizerSettings.Kind}.
 */
final class OptimizerReference {
  final double[] value;
  final double[] state0;
  final double[] state1;
  final double[] ema;
  private final OptimizerSettings settings;

  OptimizerReference(OptimizerSettings settings, double[] value, double state1) {
    this.settings = settings;
    this.value = value.clone();
    this.state0 = new double[value.length];
    this.state1 = new double[value.length];
    java.util.Arrays.fill(this.state1, state1);
    this.ema = value.clone();
  }

  void step(
      double[] gradient,
      double rate,
      double momentum,
      double emaDecay,
      double weightDecay,
      double correction1,
      double correction2) {
    for (int i = 0; i < value.length; i++) {
      double g = gradient[i];
      double p = value[i];
      switch (settings.kind()) {
        case SGD -> {
          g += weightDecay * p;
          state0[i] = momentum * state0[i] + g;
          p -= rate * (settings.nesterov() ? g + momentum * state0[i] : state0[i]);
        }
        case RMSPROP -> {
          g += weightDecay * p;
          state1[i] = settings.decay() * state1[i] + (1 - (double) settings.decay()) * g * g;
          state0[i] = momentum * state0[i] + rate * g / Math.sqrt(state1[i] + settings.epsilon());
          p -= state0[i];
        }
        case ADAMW -> {
          state0[i] = momentum * state0[i] + (1 - momentum) * g;
          state1[i] = settings.decay() * state1[i] + (1 - (double) settings.decay()) * g * g;
          double root = Math.sqrt(state1[i] / correction2) + settings.epsilon();
          p -= rate * (state0[i] / correction1 / root + weightDecay * p);
        }
      }
      value[i] = p;
      ema[i] = emaDecay * ema[i] + (1 - emaDecay) * p;
    }
  }
}
