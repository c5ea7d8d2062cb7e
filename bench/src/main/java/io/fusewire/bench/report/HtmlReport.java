// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * One page that shows result files: what they were measured with, plots, and every number. Needs
 * nothing but itself: the plots are in it.
 */
public final class HtmlReport {
  /** Longer tables are shown when they are asked for. */
  private static final int LONG_TABLE = 60;

  private static final String STYLE =
      """
      body { font: 15px/1.5 system-ui, sans-serif; color: #333a45; margin: 0 auto; max-width: 1240px; padding: 24px; }
      h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 21px; margin: 48px 0 8px; padding-top: 16px;
        border-top: 2px solid #d95f30; } h3 { font-size: 16px; margin: 28px 0 4px; }
      nav a { margin-right: 14px; white-space: nowrap; } a { color: #3f6fb0; text-decoration: none; }
      table { border-collapse: collapse; font-size: 13px; margin: 8px 0; } th { text-align: left; }
      th, td { padding: 3px 12px 3px 0; border-bottom: 1px solid #e6e9ee; vertical-align: top; }
      td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
      td.c { font-family: ui-monospace, monospace; font-size: 12px; overflow-wrap: anywhere; }
      .facts td:first-child { color: #7a8494; white-space: nowrap; } .none, figcaption { color: #7a8494; }
      .better { color: #2f7d46; font-weight: 600; } .worse { color: #c0471c; font-weight: 600; }
      figure { margin: 8px 16px 16px 0; display: inline-block; max-width: 100%; vertical-align: top; }
      figure img { max-width: 100%; height: auto; } summary { cursor: pointer; margin: 12px 0; }
      """;

  private final StringBuilder page = new StringBuilder();
  private boolean drawn = true;

  private HtmlReport() {}

  /**
   * Draws a page.
   *
   * @param files result files, at least one
   * @return the page
   * @throws IOException if a file cannot be read, or is none that a benchmark wrote
   */
  public static HtmlReport of(List<Path> files) throws IOException {
    List<Results> all = new ArrayList<>();
    for (Path file : files) {
      all.add(Results.read(file));
    }
    HtmlReport report = new HtmlReport();
    report.write(all);
    return report;
  }

  /**
   * The page.
   *
   * @return HTML
   */
  public String page() {
    return page.toString();
  }

  /**
   * Whether the plots could be drawn; a host without fonts, or a runtime without what draws them,
   * cannot, and the page says so.
   *
   * @return whether every plot is there
   */
  public boolean drawn() {
    return drawn;
  }

  private void write(List<Results> all) {
    line("<!DOCTYPE html>");
    line("<html lang=\"en\"><head><meta charset=\"utf-8\">");
    line("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    line("<title>Fusewire benchmarks</title><style>");
    page.append(STYLE);
    line("</style></head><body>");
    line("<h1>Fusewire benchmarks</h1>");
    line(
        "<p>A ratio is ours over the peer's, from one interleaved run: for times and memory below");
    line("1 is better. Files of different devices or days are not comparable with each other.</p>");
    line("<nav>");
    for (int i = 0; i < all.size(); i++) {
      line("<a href=\"#f" + i + "\">" + escaped(all.get(i).name()) + "</a>");
    }
    line("</nav>");
    summary(all);
    for (int i = 0; i < all.size(); i++) {
      section(all.get(i), i);
    }
    line("</body></html>");
  }

  private void summary(List<Results> all) {
    line(
        "<table><tr><th>file</th><th>device</th><th>commit</th><th>date</th><th>times beside</th>");
    line("<th>cases</th><th>faster in</th><th>geometric mean of ratios</th></tr>");
    for (int i = 0; i < all.size(); i++) {
      Results results = all.get(i);
      Map<String, List<Double>> ratios = new LinkedHashMap<>();
      for (Results.Entry entry : results.entries()) {
        if (entry.comparesTimes()) {
          ratios.computeIfAbsent(entry.peer(), p -> new ArrayList<>()).add(entry.ratio());
        }
      }
      String facts =
          "<td><a href=\"#f%d\">%s</a></td><td>%s</td><td>%s</td><td>%s</td>"
              .formatted(
                  i,
                  escaped(results.name()),
                  escaped(results.facts().getOrDefault("device", "")),
                  escaped(results.facts().getOrDefault("commit", "")),
                  escaped(results.facts().getOrDefault("date", "")));
      if (ratios.isEmpty()) {
        line("<tr>" + facts + "<td class=\"none\" colspan=\"4\">no times beside a peer</td></tr>");
      }
      ratios.forEach(
          (peer, values) -> {
            double logarithms = values.stream().mapToDouble(Math::log).sum();
            double mean = Math.exp(logarithms / values.size());
            line(
                "<tr>%s<td>%s</td><td class=\"n\">%d</td><td class=\"n\">%d</td>%s</tr>"
                    .formatted(
                        facts,
                        escaped(peer),
                        values.size(),
                        values.stream().filter(v -> v < 1).count(),
                        ratio(mean, true)));
          });
    }
    line("</table>");
  }

  private void section(Results results, int index) {
    line("<h2 id=\"f" + index + "\">" + escaped(results.name()) + "</h2>");
    line("<table class=\"facts\">");
    results
        .facts()
        .forEach(
            (name, value) ->
                line("<tr><td>" + escaped(name) + "</td><td>" + escaped(value) + "</td></tr>"));
    line("</table>");
    int before = page.length();
    try {
      plots(results);
    } catch (LinkageError | InternalError | Plot.UndrawableException e) {
      drawn = false;
      page.setLength(before);
      line("<p class=\"none\">The plots could not be drawn: no fonts where this was made.</p>");
    }
    table(results);
  }

  private void plots(Results results) {
    List<String> missing = new ArrayList<>();
    Optional<Plot> roofline = RooflinePlot.of(results);
    roofline.ifPresentOrElse(
        this::headed, () -> missing.add("a roofline: no case has a bandwidth and a throughput"));
    plots("Ratio per layer", RatioPlots.of(results), missing, "no layer has a time beside a peer");
    plots("Throughput by batch", ThroughputPlots.of(results), missing, "no network was timed");
    for (String plot : missing) {
      line("<p class=\"none\">Nothing here for " + escaped(plot) + ".</p>");
    }
  }

  private void headed(Plot plot) {
    line("<h3>" + escaped(plot.title()) + "</h3>");
    figure(plot);
  }

  private void plots(String title, List<Plot> plots, List<String> missing, String why) {
    if (plots.isEmpty()) {
      missing.add(title.toLowerCase(Locale.ROOT) + ": " + why);
      return;
    }
    line("<h3>" + title + "</h3>");
    plots.forEach(this::figure);
  }

  private void figure(Plot plot) {
    line("<figure><figcaption><b>" + escaped(plot.title()) + "</b></figcaption>");
    String data = Base64.getEncoder().encodeToString(plot.png());
    line(
        "<img width=\"%d\" height=\"%d\" alt=\"%s\" src=\"data:image/png;base64,%s\">"
            .formatted(plot.width(), plot.height(), escaped(plot.title()), data));
    line("<figcaption>" + escaped(plot.caption()) + "</figcaption></figure>");
  }

  private void table(Results results) {
    boolean folded = results.entries().size() > LONG_TABLE;
    line("<h3>All numbers</h3>");
    if (folded) {
      line("<details><summary>" + results.entries().size() + " results</summary>");
    }
    line("<table><tr><th>case</th><th>metric</th><th>value</th><th>unit</th><th>beside</th>");
    line("<th>its value</th><th>ratio</th></tr>");
    for (Results.Entry entry : results.entries()) {
      // Of times and memory less is better; bandwidths beside a copy are shares.
      boolean judged = entry.comparesTimes() || entry.unit().equals("MB");
      line(
          "<tr><td class=\"c\">%s</td><td>%s</td><td class=\"n\">%s</td><td>%s</td>%s</tr>"
              .formatted(
                  escaped(entry.name()),
                  escaped(entry.metric()),
                  number(entry.value()),
                  escaped(entry.unit()),
                  entry.reason().isEmpty()
                      ? "<td>%s</td><td class=\"n\">%s</td>%s"
                          .formatted(
                              escaped(entry.peer()),
                              number(entry.peerValue()),
                              ratio(entry.ratio(), judged))
                      : "<td>%s</td><td class=\"none\" colspan=\"2\">took no part: %s</td>"
                          .formatted(escaped(entry.peer()), escaped(entry.reason()))));
    }
    line("</table>");
    if (folded) {
      line("</details>");
    }
  }

  private static String ratio(double ratio, boolean judged) {
    if (Double.isNaN(ratio)) {
      return "<td></td>";
    }
    String kind = judged ? ratio < 1 ? " better" : " worse" : "";
    return String.format(Locale.ROOT, "<td class=\"n%s\">%.2f</td>", kind, ratio);
  }

  /** Four digits that mean something, and all of a large number's whole part. */
  private static String number(double value) {
    if (Double.isNaN(value)) {
      return "";
    }
    double size = Math.abs(value);
    String pattern =
        size >= 1e3 ? "%,.0f" : size >= 10 ? "%.1f" : size >= 1e-3 || size == 0 ? "%.4f" : "%.2e";
    return String.format(Locale.ROOT, pattern, value);
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }

  private void line(String text) {
    page.append(text).append('\n');
  }
}
