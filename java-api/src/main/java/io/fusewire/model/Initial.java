// SPDX-License-Identifier: Apache-2.0
package io.fusewire.model;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;

/** How a family of networks draws the values that training starts from. */
enum Initial {
  /**
   * The official implementation's: convolutions N(0, sqrt(2/(k*k*out))) where a depthwise
   * convolution's "out" is 1, classifier U(-1/sqrt(classes), 1/sqrt(classes)).
   */
  EFFICIENT_NET {
    @Override
    double deviation(Parameter parameter) {
      List<Integer> shape = parameter.shape();
      int out = parameter.kind() == Parameter.Kind.DEPTHWISE ? 1 : shape.get(0);
      return Math.sqrt(2.0 / (shape.get(2) * shape.get(3) * out));
    }

    @Override
    void classifier(Parameter weight, Draw draw) {
      draw.uniform(1 / Math.sqrt(Math.max(weight.shape().get(0), OFFICIAL_CLASSES)));
    }
  },

  /**
   * torchvision's ResNets': convolutions N(0, sqrt(2/(k*k*out))), classifier and its bias
   * U(-1/sqrt(features), 1/sqrt(features)).
   */
  TORCHVISION {
    @Override
    double deviation(Parameter parameter) {
      return EFFICIENT_NET.deviation(parameter);
    }

    @Override
    void classifier(Parameter weight, Draw draw) {
      draw.uniform(1 / Math.sqrt(weight.shape().get(1)));
    }

    @Override
    void classifierBias(Parameter weight, Draw draw) {
      draw.uniform(1 / Math.sqrt(weight.shape().get(1)));
    }
  },

  /**
   * fastai's XResNets': everything N(0, sqrt(2/(k*k*in))), the last BatchNorm of a block's branch
   * 0, so that a block begins as its shortcut.
   */
  FASTAI {
    @Override
    double deviation(Parameter parameter) {
      List<Integer> shape = parameter.shape();
      return Math.sqrt(2.0 / (shape.get(1) * shape.get(2) * shape.get(3)));
    }

    @Override
    void classifier(Parameter weight, Draw draw) {
      draw.gaussian(Math.sqrt(2.0 / weight.shape().get(1)));
    }
  };

  /**
   * The official bound of the classifier's initial values, 1/sqrt(classes), was made for this many.
   * With ten it would give logits so large that the first hundreds of steps only shrink them.
   */
  private static final int OFFICIAL_CLASSES = 1000;

  /** Standard deviation of a convolution's weights. */
  abstract double deviation(Parameter parameter);

  abstract void classifier(Parameter weight, Draw draw);

  /** Draws the classifier's bias, whose weight is given; 0 unless a family says otherwise. */
  void classifierBias(Parameter weight, Draw draw) {}

  static Initial of(Architecture net) {
    return net instanceof ResNet resnet
        ? resnet.style() == ResNet.Style.FASTAI ? FASTAI : TORCHVISION
        : EFFICIENT_NET;
  }

  /** Fills one parameter's part of a buffer that is 0. */
  void fill(
      Parameter parameter, Parameter classifier, Set<String> zeroNorms, long seed, float[] values) {
    Draw draw = new Draw(parameter, seed, values);
    switch (parameter.kind()) {
      case CONVOLUTION, DEPTHWISE, POINTWISE -> draw.gaussian(deviation(parameter));
      case CLASSIFIER -> classifier(parameter, draw);
      case CLASSIFIER_BIAS -> classifierBias(classifier, draw);
      case NORM_WEIGHT -> draw.constant(zeroNorms.contains(parameter.name()) ? 0 : 1);
      case RUNNING_VARIANCE -> draw.constant(1);
      case BIAS, NORM_BIAS, RUNNING_MEAN -> draw.constant(0);
    }
  }

  /** Numbers for one parameter. */
  static final class Draw {
    // java.util.Random, because its gaussian is specified to the bit and the same in every JDK.
    private final Random random;
    private final float[] values;
    private final int from;
    private final int to;

    private Draw(Parameter parameter, long seed, float[] values) {
      this.random = new Random(seed);
      this.values = values;
      this.from = Math.toIntExact(parameter.offset());
      this.to = from + Math.toIntExact(parameter.count());
    }

    void gaussian(double deviation) {
      for (int i = from; i < to; i++) {
        values[i] = (float) (random.nextGaussian() * deviation);
      }
    }

    void uniform(double bound) {
      for (int i = from; i < to; i++) {
        values[i] = (float) ((2 * random.nextDouble() - 1) * bound);
      }
    }

    void constant(float value) {
      Arrays.fill(values, from, to, value);
    }
  }
}
