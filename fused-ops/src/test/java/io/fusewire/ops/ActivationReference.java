// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** Activations and gates with their derivatives, in double precision. */
final class ActivationReference {
  private ActivationReference() {}

  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  static double apply(Activation activation, double x) {
    return switch (activation) {
      case IDENTITY -> x;
      case SILU -> x * sigmoid(x);
      case RELU -> Math.max(x, 0);
      case RELU6 -> Math.min(Math.max(x, 0), 6);
    };
  }

  static double slope(Activation activation, double x) {
    return switch (activation) {
      case IDENTITY -> 1;
      case SILU -> sigmoid(x) * (1 + x * (1 - sigmoid(x)));
      case RELU -> x > 0 ? 1 : 0;
      case RELU6 -> x > 0 && x < 6 ? 1 : 0;
    };
  }

  static double[] apply(Activation activation, double[] values) {
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = apply(activation, values[i]);
    }
    return result;
  }

  /** gradient .* slope(values). */
  static double[] backward(Activation activation, double[] values, double[] gradient) {
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = gradient[i] * slope(activation, values[i]);
    }
    return result;
  }

  static double apply(Gate gate, double x) {
    return gate == Gate.SIGMOID ? sigmoid(x) : Math.min(Math.max(x / 6 + 0.5, 0), 1);
  }

  /** The gate's derivative from its value. */
  static double slopeFromValue(Gate gate, double value) {
    return gate == Gate.SIGMOID ? value * (1 - value) : value > 0 && value < 1 ? 1.0 / 6 : 0;
  }
}
