// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler;

/** What all drawings of a report have in common. */
final class Look {
  static final Color INK = new Color(0x33, 0x3A, 0x45);
  static final Color OURS = new Color(0xD9, 0x5F, 0x30);
  private static final Color GRID = new Color(0xE6, 0xE9, 0xEE);
  private static final Color[] OTHERS = {
    new Color(0x3F, 0x6F, 0xB0),
    new Color(0x5B, 0xA0, 0x6D),
    new Color(0x8E, 0x6B, 0xB5),
    new Color(0xC9, 0x9A, 0x2C),
    new Color(0x4A, 0xA5, 0xAE),
    new Color(0xB0, 0x5A, 0x7A),
    new Color(0x7A, 0x84, 0x94),
    new Color(0x8A, 0x5A, 0x3C)
  };

  private Look() {}

  /** A colour for the peer or kind of some number. */
  static Color other(int index) {
    return OTHERS[index % OTHERS.length];
  }

  static void apply(AxesChartStyler style) {
    style.setChartBackgroundColor(Color.WHITE);
    style.setPlotBackgroundColor(Color.WHITE);
    style.setPlotBorderVisible(false);
    style.setPlotGridLinesColor(GRID);
    style.setPlotGridLinesStroke(new BasicStroke(1));
    style.setChartFontColor(INK);
    style.setAxisTickLabelsColor(INK);
    style.setChartTitleVisible(false);
    style.setLegendPosition(Styler.LegendPosition.OutsideS);
    style.setLegendLayout(Styler.LegendLayout.Horizontal);
    style.setLegendBorderColor(Color.WHITE);
    style.setChartPadding(10);
    style.setAxisTitleFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    style.setAxisTickLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12));
    style.setLegendFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
  }
}
