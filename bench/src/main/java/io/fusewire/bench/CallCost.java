// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;

/**
 * One number that JMH found about calls of one operation.
 *
 * @param name the call, such as {@code DepthwiseConv.forward}
 * @param metric {@link #TIME} or {@link #ALLOCATED}
 * @param value the mean over JMH's iterations
 * @param unit of the value
 * @param error half of the value's 99.9 % confidence interval; NaN if there were too few iterations
 * @param runs iterations
 */
record CallCost(String name, String metric, double value, String unit, double error, long runs)
    implements Report.Entry {
  static final String TIME = "time";

  /** Bytes that a call allocates on the Java heap. */
  static final String ALLOCATED = "allocated";

  private static final String JMH_ALLOCATED = "gc.alloc.rate.norm";
  private static final String SUFFIX = "Benchmark";

  /** Time and allocation of every benchmark, in JMH's order. */
  static List<CallCost> of(Collection<RunResult> results) {
    List<CallCost> costs = new ArrayList<>();
    for (RunResult result : results) {
      String name = name(result.getParams().getBenchmark());
      costs.add(of(name, TIME, result.getPrimaryResult(), "ns"));
      costs.add(of(name, ALLOCATED, result.getSecondaryResults().get(JMH_ALLOCATED), "B"));
    }
    return costs;
  }

  private static CallCost of(String name, String metric, Result<?> result, String unit) {
    if (result == null || !result.getScoreUnit().startsWith(unit + "/")) {
      throw new IllegalStateException(name + ": JMH gives no " + metric + " in " + unit);
    }
    return new CallCost(
        name, metric, result.getScore(), unit, result.getScoreError(), result.getSampleCount());
  }

  /** DepthwiseConv.forward for io.fusewire.bench.calls.DepthwiseConvBenchmark.forward. */
  static String name(String benchmark) {
    int method = benchmark.lastIndexOf('.');
    String type = benchmark.substring(benchmark.lastIndexOf('.', method - 1) + 1, method);
    String operation =
        type.endsWith(SUFFIX) ? type.substring(0, type.length() - SUFFIX.length()) : type;
    return operation + benchmark.substring(method);
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStringField("case", name);
    json.writeStringField("metric", metric);
    json.writeNumberField("value", value);
    json.writeStringField("unit", unit);
    if (Double.isFinite(error)) {
      json.writeNumberField("error", error);
    }
    json.writeNumberField("runs", runs);
  }
}
