// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.io.AtomicFile;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.function.ToDoubleFunction;
import javax.imageio.ImageIO;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws {@code curve.png}: loss and accuracy over the epochs, side by side. Needs no display. */
final class CurvePlot {
  private static final int WIDTH = 760;
  private static final int HEIGHT = 520;
  private static final int SCALE = 2;
  private static final Color TRAIN = new Color(0x8A, 0xA4, 0xC8);
  private static final Color TEST = new Color(0xD9, 0x5F, 0x30);
  private static final Color INK = new Color(0x33, 0x3A, 0x45);
  private static final Color GRID = new Color(0xE6, 0xE9, 0xEE);

  private CurvePlot() {}

  static BufferedImage draw(String title, MetricsLog log) {
    XYChart loss = chart("Loss", "cross-entropy");
    XYChart accuracy = chart("Accuracy", "% right");
    add(loss, log, EpochMetrics::trainLoss, EpochMetrics::evaluationLoss);
    add(accuracy, log, m -> 100 * m.trainAccuracy(), m -> 100 * m.evaluationAccuracy());
    BufferedImage image =
        new BufferedImage(2 * WIDTH * SCALE, (HEIGHT + 48) * SCALE, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.scale(SCALE, SCALE);
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, 2 * WIDTH, HEIGHT + 48);
    graphics.setColor(INK);
    graphics.setFont(new Font(Font.SANS_SERIF, Font.BOLD, 18));
    graphics.drawString(title, 28, 34);
    graphics.translate(0, 48);
    loss.paint(graphics, WIDTH, HEIGHT);
    graphics.translate(WIDTH, 0);
    accuracy.paint(graphics, WIDTH, HEIGHT);
    graphics.dispose();
    return image;
  }

  static void write(Path file, BufferedImage image) throws IOException {
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    ImageIO.write(image, "png", png);
    ByteBuffer bytes = ByteBuffer.wrap(png.toByteArray());
    AtomicFile.replace(
        file,
        channel -> {
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
        });
  }

  private static XYChart chart(String title, String axis) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title)
            .xAxisTitle("epoch")
            .yAxisTitle(axis)
            .build();
    var style = chart.getStyler();
    style.setChartBackgroundColor(Color.WHITE);
    style.setPlotBackgroundColor(Color.WHITE);
    style.setPlotBorderVisible(false);
    style.setPlotGridLinesColor(GRID);
    style.setPlotGridVerticalLinesVisible(false);
    style.setPlotGridLinesStroke(new BasicStroke(1));
    style.setChartFontColor(INK);
    style.setAxisTickLabelsColor(INK);
    // Below the plot it hides no part of a curve.
    style.setLegendPosition(Styler.LegendPosition.OutsideS);
    style.setLegendLayout(Styler.LegendLayout.Horizontal);
    style.setLegendBorderColor(Color.WHITE);
    style.setChartTitleFont(new Font(Font.SANS_SERIF, Font.BOLD, 15));
    style.setAxisTitleFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    style.setAxisTickLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12));
    style.setLegendFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    style.setXAxisMin(0.0);
    chart.setCustomXAxisTickLabelsFormatter(CurvePlot::epoch);
    return chart;
  }

  /** Ticks are where points are; the ends of epochs have labels. */
  static String epoch(double value) {
    long whole = Math.round(value);
    return Math.abs(value - whole) < 1e-6 ? Long.toString(whole) : "";
  }

  private static void add(
      XYChart chart,
      MetricsLog log,
      ToDoubleFunction<EpochMetrics> train,
      ToDoubleFunction<EpochMetrics> test) {
    List<MetricsLog.Row> steps = log.rows().stream().filter(r -> !r.evaluated()).toList();
    List<MetricsLog.Row> epochs = log.rows().stream().filter(MetricsLog.Row::evaluated).toList();
    if (!steps.isEmpty()) {
      XYSeries series =
          chart.addSeries(
              "training (augmented, with dropout)",
              steps.stream().mapToDouble(MetricsLog.Row::epoch).toArray(),
              steps.stream().mapToDouble(r -> train.applyAsDouble(r.metrics())).toArray());
      series.setLineColor(TRAIN);
      series.setMarker(SeriesMarkers.NONE);
      series.setLineStyle(new BasicStroke(2f));
    }
    if (!epochs.isEmpty()) {
      XYSeries series =
          chart.addSeries(
              "test",
              epochs.stream().mapToDouble(MetricsLog.Row::epoch).toArray(),
              epochs.stream().mapToDouble(r -> test.applyAsDouble(r.metrics())).toArray());
      series.setLineColor(TEST);
      series.setMarkerColor(TEST);
      series.setMarker(SeriesMarkers.CIRCLE);
      series.setLineStyle(new BasicStroke(2.5f));
    }
  }
}
