// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries;

/**
 * Our time over a peer's, a bar for each layer: downwards where we are faster, upwards where we are
 * slower, as long as the factor is large, so that twice as fast and half as fast look alike.
 */
final class RatioPlots {
  private static final int HEIGHT = 430;
  private static final int LEAST_WIDTH = 520;
  private static final int MOST_WIDTH = 1180;
  private static final int MARGIN = 170;
  private static final int EACH = 26;

  private RatioPlots() {}

  /** One drawing for each operation of the file; none if it has no layers with peers. */
  static List<Plot> of(Results results) {
    Map<String, Map<String, Map<String, Double>>> operations = new LinkedHashMap<>();
    for (Results.Entry entry : results.entries()) {
      Matcher layer = entry.layer();
      if (layer != null && entry.comparesTimes()) {
        String caches = layer.group(5) == null ? "" : ", " + layer.group(5).substring(1);
        String operation =
            "%s, batch %s, %s%s".formatted(layer.group(2), layer.group(3), layer.group(4), caches);
        operations
            .computeIfAbsent(operation, o -> new LinkedHashMap<>())
            .computeIfAbsent(entry.peer(), p -> new LinkedHashMap<>())
            .put(layer.group(1), entry.ratio());
      }
    }
    List<Plot> plots = new ArrayList<>();
    operations.forEach((operation, peers) -> plots.add(plot(operation, peers)));
    return plots;
  }

  private static Plot plot(String operation, Map<String, Map<String, Double>> peers) {
    Set<String> layers = new LinkedHashSet<>();
    peers.values().forEach(ratios -> layers.addAll(ratios.keySet()));
    int width = MARGIN + EACH * layers.size() * (1 + peers.size()) / 2;
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, width)))
            .height(HEIGHT)
            .yAxisTitle("our time over the peer's")
            .build();
    Look.apply(chart.getStyler());
    chart.getStyler().setPlotGridVerticalLinesVisible(false);
    chart.getStyler().setXAxisLabelRotation(90);
    chart.getStyler().setAvailableSpaceFill(0.75);
    // Every layer has its label.
    chart.getStyler().setXAxisTickMarkSpacingHint(EACH / 2);
    // At least one doubling each way, so that the line of equal times is seen.
    double low = -1;
    double high = 1;
    for (Map<String, Double> ratios : peers.values()) {
      for (double ratio : ratios.values()) {
        low = Math.min(low, Math.floor(binary(ratio)));
        high = Math.max(high, Math.ceil(binary(ratio)));
      }
    }
    chart.getStyler().setYAxisMin(low);
    chart.getStyler().setYAxisMax(high);
    chart.getStyler().setYAxisTickLabelsFormattingFunction(RatioPlots::factor);
    int index = 0;
    for (Map.Entry<String, Map<String, Double>> peer : peers.entrySet()) {
      CategorySeries series =
          chart.addSeries(
              peer.getKey(),
              new ArrayList<>(layers),
              layers.stream()
                  .map(layer -> binary(peer.getValue().getOrDefault(layer, 1.0)))
                  .toList());
      series.setFillColor(Look.other(index));
      series.setLineColor(Look.other(index));
      index++;
    }
    double mean =
        Math.pow(
            2,
            peers.values().stream()
                .flatMap(ratios -> ratios.values().stream())
                .mapToDouble(RatioPlots::binary)
                .average()
                .orElse(0));
    return new Plot(
        operation,
        String.format(Locale.ROOT, "Bars downwards: we are faster. Geometric mean %.2f.", mean),
        chart);
  }

  /** A tick's label: 0.25 for -2. */
  private static String factor(double binary) {
    double factor = Math.pow(2, binary);
    String text = String.format(Locale.ROOT, factor < 1 ? "%.3f" : "%.1f", factor);
    return text.replaceFirst("\\.?0+$", "");
  }

  private static double binary(double ratio) {
    return Math.log(ratio) / Math.log(2);
  }
}
