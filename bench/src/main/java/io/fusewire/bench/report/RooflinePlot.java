// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.report;

import io.fusewire.bench.layers.Layer;
import java.awt.BasicStroke;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * The roofline of a device and where operations are below it: floating-point operations per byte
 * that must move against floating-point operations per second. The roof is the measured bandwidth
 * of a copy and the measured peak of a product.
 */
final class RooflinePlot {
  private static final int WIDTH = 1000;
  private static final int HEIGHT = 560;

  private RooflinePlot() {}

  /** What is known of a case. */
  private static final class Point {
    private double bandwidth = Double.NaN;
    private double rate = Double.NaN;

    double intensity() {
      return rate / bandwidth;
    }
  }

  /** The drawing; empty if no operation of the file has both a bandwidth and a throughput. */
  static Optional<Plot> of(Results results) {
    Map<String, Map<String, Point>> kinds = new LinkedHashMap<>();
    double[] roof = {Double.NaN, Double.NaN};
    List<Double> copies = new ArrayList<>();
    double peak = 0;
    for (Results.Entry entry : results.entries()) {
      boolean bandwidth = entry.metric().equals("bandwidth");
      boolean throughput = entry.metric().equals("throughput");
      if (entry.name().equals("device/copy")) {
        roof[0] = entry.value();
      } else if (entry.name().startsWith("device/product")) {
        roof[1] = entry.value();
      } else if ((bandwidth || throughput) && kind(entry) != null) {
        Point point =
            kinds
                .computeIfAbsent(kind(entry), k -> new LinkedHashMap<>())
                .computeIfAbsent(entry.name(), n -> new Point());
        if (bandwidth) {
          point.bandwidth = entry.value();
          copies.add(entry.peerValue());
        } else {
          point.rate = entry.value();
          peak = Math.max(peak, entry.peerValue());
        }
      }
    }
    kinds.values().forEach(points -> points.values().removeIf(p -> !(p.intensity() > 0)));
    kinds.values().removeIf(Map::isEmpty);
    if (kinds.isEmpty()) {
      return Optional.empty();
    }
    // Files from before the roof was an entry of its own have it beside every case.
    double bandwidth = roof[0] > 0 ? roof[0] : median(copies);
    return Optional.of(plot(results, kinds, bandwidth, roof[1] > 0 ? roof[1] : peak));
  }

  private static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(v -> v).sorted().toArray();
    return sorted[sorted.length / 2];
  }

  /** The kind of layer, or what is done with a network; null for neither. */
  private static String kind(Results.Entry entry) {
    Matcher layer = entry.layer();
    if (layer != null) {
      String name = layer.group(1);
      String label = name.substring(Math.max(name.lastIndexOf('/'), name.lastIndexOf(':')) + 1);
      return Arrays.stream(Layer.values())
          .filter(known -> known.label().equals(label))
          .map(known -> known == Layer.DEPTHWISE ? "depthwise" : label)
          .findFirst()
          .orElse(null);
    }
    Matcher network = entry.network();
    return network == null ? null : network.group(2);
  }

  private static Plot plot(
      Results results, Map<String, Map<String, Point>> kinds, double bandwidth, double peak) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .xAxisTitle("floating-point operations per byte that must move")
            .yAxisTitle("GFLOP/s")
            .build();
    Look.apply(chart.getStyler());
    chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
    chart.getStyler().setLegendLayout(Styler.LegendLayout.Vertical);
    chart.getStyler().setXAxisDecimalPattern("#,##0.##");
    chart.getStyler().setYAxisDecimalPattern("#,##0.##");
    chart.getStyler().setXAxisLogarithmic(true);
    chart.getStyler().setYAxisLogarithmic(true);
    chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
    chart.getStyler().setMarkerSize(7);
    double left = Double.POSITIVE_INFINITY;
    double right = peak / bandwidth;
    double low = peak;
    for (Map<String, Point> points : kinds.values()) {
      for (Point point : points.values()) {
        left = Math.min(left, point.intensity());
        right = Math.max(right, point.intensity());
        low = Math.min(low, point.rate);
      }
    }
    left = Math.min(left / 1.5, peak / bandwidth / 2);
    right *= 2;
    chart.getStyler().setXAxisMin(left);
    chart.getStyler().setXAxisMax(right);
    chart.getStyler().setYAxisMin(Math.min(low, left * bandwidth) / 1.5);
    chart.getStyler().setYAxisMax(peak * 2);
    double[] corners = {left, peak / bandwidth, right};
    double[] heights = {left * bandwidth, peak, peak};
    XYSeries roof = chart.addSeries("measured roof", corners, heights);
    roof.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Line);
    roof.setMarker(SeriesMarkers.NONE);
    roof.setLineColor(Look.INK);
    roof.setLineStyle(new BasicStroke(2));
    int index = 0;
    for (Map.Entry<String, Map<String, Point>> kind : kinds.entrySet()) {
      XYSeries series =
          chart.addSeries(
              kind.getKey(),
              kind.getValue().values().stream().mapToDouble(Point::intensity).toArray(),
              kind.getValue().values().stream().mapToDouble(p -> p.rate).toArray());
      series.setMarker(SeriesMarkers.CIRCLE);
      series.setMarkerColor(Look.other(index++));
    }
    return new Plot(
        "Roofline of " + results.facts().getOrDefault("device", "an unknown device"),
        String.format(
            Locale.ROOT,
            "A point is an operation of a layer, or a network. The roof: %.4g GB/s by a copy,"
                + " %.4g GFLOP/s by a product, both measured. Above its slope is what caches hold.",
            bandwidth,
            peak),
        chart);
  }
}
