// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.TensorFile;
import io.fusewire.model.Preprocessing;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The normalization layer within Keras's EfficientNets, which take pixels of 0 to 255, divide them
 * by 255, subtract this layer's mean and divide by the root of its variance.
 */
final class KerasNormalization {
  /**
   * The ImageNet weights have the deviations themselves where the variance belongs, and Keras makes
   * up for it with a second division when it is asked for those weights.
   */
  private static final float[] STORED_DEVIATIONS = {0.229f, 0.224f, 0.225f};

  private static final float TOLERANCE = 1e-3f;

  private KerasNormalization() {}

  /** A preprocessing with the file's mean and deviation, if the file has such a layer. */
  static Preprocessing applied(
      TensorFile file, Match match, Preprocessing known, List<String> remarks) throws IOException {
    Map<String, String> keys = match.scheme().keys(file.tensors().keySet()).byName();
    String mean = keys.get(KerasNames.NORMALIZATION + "/mean");
    String variance = keys.get(KerasNames.NORMALIZATION + "/variance");
    if (mean == null || variance == null) {
      return known;
    }
    float[] means = file.readFloats(mean);
    float[] variances = file.readFloats(variance);
    boolean deviations = variances.length == STORED_DEVIATIONS.length;
    for (int c = 0; deviations && c < variances.length; c++) {
      deviations = Math.abs(variances[c] - STORED_DEVIATIONS[c]) < TOLERANCE;
    }
    List<Float> m = new ArrayList<>();
    List<Float> s = new ArrayList<>();
    for (int c = 0; c < Math.min(means.length, variances.length); c++) {
      m.add(means[c]);
      s.add(deviations ? variances[c] : (float) Math.sqrt(variances[c]));
    }
    remarks.add("mean and deviation are those of the file's normalization layer");
    return new Preprocessing(
        known.height(),
        known.width(),
        known.window(),
        known.wholeImage(),
        known.interpolation(),
        known.cropFraction(),
        m,
        s);
  }
}
