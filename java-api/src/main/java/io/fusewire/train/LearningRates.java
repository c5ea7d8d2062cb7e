// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.model.Parameter;
import io.fusewire.model.Parameters;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Discriminative learning rates (arXiv 1801.06146): a factor for every layer group. Groups are the
 * stem, every stage, and what follows the last stage, the classifier included.
 */
final class LearningRates {
  /** A stage's number in the names of EfficientNets, ResNets and fastai's XResNets. */
  private static final Pattern STAGE =
      Pattern.compile("^(?:blocks\\.(\\d+)\\.\\d+\\.|layer(\\d+)\\.|([4-7])\\.\\d+\\.)");

  private final double layerDecay;
  private final double featureRate;
  private final Map<String, Integer> groups = new HashMap<>();
  private int last;

  /**
   * Groups a network's parameters.
   *
   * @param parameters all of the network's
   * @param layerDecay factor from one group to the one before it
   * @param featureRate factor of all but the classifier, beside that
   */
  LearningRates(Parameters parameters, double layerDecay, double featureRate) {
    this.layerDecay = layerDecay;
    this.featureRate = featureRate;
    List<Parameter> trained = parameters.all().stream().filter(p -> p.kind().trained()).toList();
    String stage = "";
    for (Parameter parameter : trained) {
      String own = stageOf(parameter);
      if (!own.equals(stage)) {
        // What has no stage is the stem before the first and the head behind the last.
        last++;
        stage = own;
      }
      groups.put(parameter.name(), last);
    }
  }

  private static String stageOf(Parameter parameter) {
    Matcher matcher = STAGE.matcher(parameter.name());
    return matcher.find() ? matcher.group().replaceFirst("\\.\\d+\\.$", ".") : "";
  }

  /** Number of groups. */
  int groups() {
    return last + 1;
  }

  /** What the learning rate of a parameter is multiplied by. */
  float factor(Parameter parameter) {
    double depth = StrictMath.pow(layerDecay, last - groups.get(parameter.name()));
    return (float) (parameter.kind().ofClassifier() ? depth : depth * featureRate);
  }
}
