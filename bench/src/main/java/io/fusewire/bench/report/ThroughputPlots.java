// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Images per second of networks against the batch, ours and every peer's. */
final class ThroughputPlots {
  private static final int WIDTH = 640;
  private static final int HEIGHT = 400;
  private static final double MILLI = 1e-3;
  private static final String OURS = "Fusewire";

  private ThroughputPlots() {}

  /** One drawing for each thing that is done with a network; none if the file has no networks. */
  static List<Plot> of(Results results) {
    Map<String, Map<String, Map<Double, Double>>> networks = new LinkedHashMap<>();
    for (Results.Entry entry : results.entries()) {
      Matcher network = entry.network();
      if (network == null || !entry.metric().equals("time")) {
        continue;
      }
      double batch = Double.parseDouble(network.group(3));
      Map<String, Map<Double, Double>> contenders =
          networks.computeIfAbsent(
              network.group(1) + " " + network.group(2) + ", " + network.group(4),
              n -> new LinkedHashMap<>());
      contenders
          .computeIfAbsent(OURS, c -> new TreeMap<>())
          .putIfAbsent(batch, batch / (entry.value() * MILLI));
      if (entry.comparesTimes()) {
        contenders
            .computeIfAbsent(entry.peer(), c -> new TreeMap<>())
            .put(batch, batch / (entry.peerValue() * MILLI));
      }
    }
    List<Plot> plots = new ArrayList<>();
    networks.forEach((name, contenders) -> plots.add(plot(name, contenders)));
    return plots;
  }

  private static Plot plot(String name, Map<String, Map<Double, Double>> contenders) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .xAxisTitle("images at a time")
            .yAxisTitle("images per second")
            .build();
    Look.apply(chart.getStyler());
    chart.getStyler().setYAxisMin(0.0);
    chart.getStyler().setMarkerSize(8);
    double most = 0;
    double least = Double.POSITIVE_INFINITY;
    double high = 0;
    int index = 0;
    for (Map.Entry<String, Map<Double, Double>> contender : contenders.entrySet()) {
      Map<Double, Double> points = contender.getValue();
      XYSeries series =
          chart.addSeries(
              contender.getKey(),
              points.keySet().stream().mapToDouble(batch -> batch).toArray(),
              points.values().stream().mapToDouble(rate -> rate).toArray());
      Color color = contender.getKey().equals(OURS) ? Look.OURS : Look.other(index++);
      series.setLineColor(color);
      series.setMarkerColor(color);
      series.setMarker(SeriesMarkers.CIRCLE);
      series.setLineStyle(new BasicStroke(2));
      for (Map.Entry<Double, Double> point : points.entrySet()) {
        most = Math.max(most, point.getKey());
        least = Math.min(least, point.getKey());
        high = Math.max(high, point.getValue());
      }
    }
    chart.getStyler().setYAxisMax(high * 1.1);
    chart.getStyler().setXAxisMin(0.0);
    chart.getStyler().setXAxisMax(most * 1.1);
    String caption =
        least == most
            ? String.format(Locale.ROOT, "Only batch %.0f was measured.", most)
            : "Higher is better.";
    return new Plot(name, caption, chart);
  }
}
