// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import java.util.HashMap;
import java.util.Map;

/** Holds what a device computed to golden results. */
final class Comparison {
  /** A sketch's distance is an estimate. */
  private static final double ESTIMATE = 1.5;

  /** How many times its own golden results' error a case in 16 bits may have. */
  private static final double RULE_OF_THREE = 3;

  private final GoldenFile golden;
  private final boolean exact;
  private double worst;
  private String worstName = "none";

  /**
   * Prepares comparisons.
   *
   * @param golden what is expected
   * @param exact whether the same bits are expected
   */
  Comparison(GoldenFile golden, boolean exact) {
    this.golden = golden;
    this.exact = exact;
  }

  /** The largest error so far, as a share of what was allowed; NaN if a result was. */
  double worst() {
    return worst;
  }

  /** The case and result that had it. */
  String worstName() {
    return worstName;
  }

  /**
   * Compares all results of a case.
   *
   * @param golden case that was run
   * @param actual its results
   * @return "" if they fit, else what does not, for people
   */
  String compare(GoldenCase golden, Map<String, Sketch> actual) {
    Map<String, Sketch> expected = this.golden.results(golden.name());
    if (expected == null) {
      return "the golden file does not have it";
    }
    if (!expected.keySet().equals(actual.keySet())) {
      return "results are " + actual.keySet() + ", expected " + expected.keySet();
    }
    boolean same = exact || golden.closeness().equals(Closeness.exact());
    Map<String, Sketch> reference = this.golden.results(golden.reference());
    if (reference == null || !reference.keySet().equals(actual.keySet())) {
      return "the golden file lacks " + golden.reference();
    }
    Map<String, Double> norms = groupNorms(reference);
    Map<String, Double> errors = groupErrors(expected, reference);
    StringBuilder wrong = new StringBuilder();
    for (Map.Entry<String, Sketch> entry : actual.entrySet()) {
      String name = entry.getKey();
      Sketch value = entry.getValue();
      Sketch own = expected.get(name);
      String problem;
      if (same) {
        problem = value.sameBits(own) ? "" : "other bits: " + value + ", expected " + own;
      } else if (value.count() != own.count()) {
        problem = value.count() + " values, expected " + own.count();
      } else {
        Sketch truth = reference.get(name);
        double floor = golden.closeness().floor() * norms.get(group(name));
        double norm = Math.max(truth.norm(), floor);
        // A short gradient may have more or less than its part of the rounding by luck.
        double part = errors.get(group(name)) / Math.max(norms.get(group(name)), Float.MIN_NORMAL);
        double error = Math.max(own.distance(truth), part * truth.norm());
        double share = value.distance(truth) / allowed(error, norm, golden.closeness());
        // NaN is no error that is small enough.
        problem =
            share <= 1
                ? ""
                : "error %.3g at norm %.3g is %.2f of what is allowed"
                    .formatted(value.distance(truth), norm, share);
        if (!(share <= worst)) {
          worst = share;
          worstName = golden.name() + " " + name;
        }
      }
      if (!problem.isEmpty()) {
        wrong.append(wrong.length() == 0 ? "" : "; ").append(name).append(": ").append(problem);
      }
    }
    return wrong.toString();
  }

  /**
   * What is allowed of a result.
   *
   * @param error of the golden result, or the part of its group's that its norm is of theirs
   */
  private static double allowed(double error, double norm, Closeness closeness) {
    return ESTIMATE * closeness.relative() * norm + RULE_OF_THREE * error + Float.MIN_NORMAL;
  }

  private static String group(String name) {
    int slash = name.indexOf('/');
    return slash < 0 ? name : name.substring(0, slash);
  }

  /** Golden error of all results of a group together. */
  private static Map<String, Double> groupErrors(
      Map<String, Sketch> expected, Map<String, Sketch> reference) {
    Map<String, Double> errors = new HashMap<>();
    expected.forEach(
        (name, sketch) ->
            errors.merge(
                group(name),
                sketch.count() == reference.get(name).count()
                    ? sketch.distance(reference.get(name))
                    : 0,
                Math::hypot));
    return errors;
  }

  /** Norm of all results of a group together. */
  private static Map<String, Double> groupNorms(Map<String, Sketch> results) {
    Map<String, Double> norms = new HashMap<>();
    results.forEach((name, sketch) -> norms.merge(group(name), sketch.norm(), Math::hypot));
    return norms;
  }
}
