// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.report;

import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import javax.imageio.ImageIO;
import org.knowm.xchart.internal.chartpart.Chart;

/**
 * A drawing of a report.
 *
 * @param title what it shows
 * @param caption how it is to be read
 * @param chart the drawing
 */
record Plot(String title, String caption, Chart<?, ?> chart) {
  /** Pixels of the picture for one of the page, for screens that have more. */
  private static final int SCALE = 2;

  int width() {
    return chart.getWidth();
  }

  int height() {
    return chart.getHeight();
  }

  /** There are no fonts to draw with. */
  static final class UndrawableException extends RuntimeException {
    private static final long serialVersionUID = 1;

    UndrawableException(RuntimeException cause) {
      super(cause);
    }
  }

  /**
   * The drawing as PNG; needs no display.
   *
   * @throws UndrawableException if it cannot be drawn here
   */
  byte[] png() {
    BufferedImage image =
        new BufferedImage(width() * SCALE, height() * SCALE, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.scale(SCALE, SCALE);
    try {
      chart.paint(graphics, width(), height());
    } catch (RuntimeException e) {
      throw new UndrawableException(e);
    }
    graphics.dispose();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "png", bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }
}
