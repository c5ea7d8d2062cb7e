// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Draws what a network moves: a bar for each block, forward and backward on top of each other, and
 * a mark at the least that must move. Needs no display.
 */
final class TrafficChart {
  private static final int WIDTH = 1200;
  private static final int HEIGHT = 620;
  private static final int DOTS_PER_INCH = 144;
  private static final double MEGA = 1e6;
  private static final Pattern BLOCK = Pattern.compile("blocks\\.(\\d+\\.\\d+).*");
  private static final Color INK = new Color(0x33, 0x3A, 0x45);
  private static final Color GRID = new Color(0xE6, 0xE9, 0xEE);
  private static final Map<StepTraffic.Phase, Color> COLORS =
      new EnumMap<>(
          Map.of(
              StepTraffic.Phase.FORWARD, new Color(0x8A, 0xA4, 0xC8),
              StepTraffic.Phase.BACKWARD, new Color(0xD9, 0x5F, 0x30),
              StepTraffic.Phase.OPTIMIZER, new Color(0x6B, 0x9E, 0x78)));

  private TrafficChart() {}

  static void write(Path file, String name, TrafficCounts counts) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    Path fresh = Files.createTempFile(folder, "traffic", ".png");
    try {
      CategoryChart chart = chart(name, counts);
      BitmapEncoder.saveBitmapWithDPI(
          chart, fresh.toString(), BitmapEncoder.BitmapFormat.PNG, DOTS_PER_INCH);
      Files.move(fresh, file, StandardCopyOption.REPLACE_EXISTING);
    } catch (LinkageError | InternalError e) {
      throw new IOException(
          "no picture: this host lacks fonts, or libfreetype and libharfbuzz to draw them", e);
    } finally {
      Files.deleteIfExists(fresh);
    }
  }

  /** Where a step belongs: a block such as 2.1, what comes before the blocks, or after. */
  static String group(StepTraffic step) {
    if (step.phase() == StepTraffic.Phase.OPTIMIZER) {
      return "optimizer";
    }
    Matcher block = BLOCK.matcher(step.name());
    if (block.matches()) {
      return block.group(1);
    }
    String name = step.name();
    boolean first = name.startsWith("conv_stem") || name.startsWith("bn1");
    return first || name.startsWith("images") ? "stem" : "head";
  }

  static CategoryChart chart(String name, TrafficCounts counts) {
    Map<String, Map<StepTraffic.Phase, Double>> moved = new LinkedHashMap<>();
    Map<String, Double> least = new LinkedHashMap<>();
    Map<StepTraffic.Phase, Boolean> phases = new EnumMap<>(StepTraffic.Phase.class);
    for (int i = 0; i < counts.steps(); i++) {
      StepTraffic step = counts.step(i);
      Bytes bytes = counts.of(i);
      String group = group(step);
      phases.put(step.phase(), true);
      moved
          .computeIfAbsent(group, g -> new EnumMap<>(StepTraffic.Phase.class))
          .merge(step.phase(), bytes.counted() / MEGA, Double::sum);
      least.merge(group, bytes.least() / MEGA, Double::sum);
    }
    List<String> groups = new ArrayList<>(moved.keySet());
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(
                String.format(
                    Locale.ROOT,
                    "%s: %.1f MB moved per image at batch %d",
                    name,
                    counts.total().counted() / MEGA,
                    counts.batch()))
            .xAxisTitle("block")
            .yAxisTitle("MB per image")
            .build();
    style(chart);
    for (StepTraffic.Phase phase : phases.keySet()) {
      CategorySeries series =
          chart.addSeries(
              phase.name().toLowerCase(Locale.ROOT),
              groups,
              groups.stream().map(g -> moved.get(g).getOrDefault(phase, 0.0)).toList());
      series.setFillColor(COLORS.get(phase));
      series.setLineColor(COLORS.get(phase));
    }
    CategorySeries marks =
        chart.addSeries(
            "least that each step's tensors take",
            groups,
            groups.stream().map(least::get).toList());
    marks.setChartCategorySeriesRenderStyle(CategorySeries.CategorySeriesRenderStyle.Scatter);
    marks.setLineColor(INK);
    marks.setMarker(SeriesMarkers.CIRCLE);
    marks.setMarkerColor(INK);
    return chart;
  }

  private static void style(CategoryChart chart) {
    var style = chart.getStyler();
    style.setStacked(true);
    style.setOverlapped(false);
    style.setAvailableSpaceFill(0.8);
    style.setChartBackgroundColor(Color.WHITE);
    style.setPlotBackgroundColor(Color.WHITE);
    style.setPlotBorderVisible(false);
    style.setPlotGridLinesColor(GRID);
    style.setPlotGridVerticalLinesVisible(false);
    style.setPlotGridLinesStroke(new BasicStroke(1));
    style.setChartFontColor(INK);
    style.setAxisTickLabelsColor(INK);
    style.setLegendPosition(Styler.LegendPosition.InsideNE);
    style.setLegendBorderColor(Color.WHITE);
    style.setXAxisLabelRotation(90);
    style.setChartTitleFont(new Font(Font.SANS_SERIF, Font.BOLD, 16));
    style.setAxisTitleFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    style.setAxisTickLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12));
    style.setLegendFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    style.setYAxisMin(0.0);
  }
}
