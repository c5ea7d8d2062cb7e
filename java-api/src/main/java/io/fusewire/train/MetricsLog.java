// SPDX-License-Identifier: Apache-2.0
package io.fusewire.train;

import io.fusewire.io.AtomicFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a run has measured: a row for every few steps of training, and one for every epoch with its
 * evaluation. Written as {@code metrics.csv}; kept in checkpoints as the same text.
 */
final class MetricsLog {
  private static final String HEADER =
      "epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,learning_rate,images_per_second";

  private final List<Row> rows = new ArrayList<>();

  /**
   * One row. Epochs are fractions between two evaluations; a row without evaluation has NaN there.
   *
   * @param epoch epochs made
   * @param metrics the numbers
   */
  record Row(double epoch, EpochMetrics metrics) {
    boolean evaluated() {
      return !Double.isNaN(metrics.evaluationAccuracy());
    }
  }

  void add(double epoch, EpochMetrics metrics) {
    rows.add(new Row(epoch, metrics));
  }

  List<Row> rows() {
    return List.copyOf(rows);
  }

  List<EpochMetrics> epochs() {
    return rows.stream().filter(Row::evaluated).map(Row::metrics).toList();
  }

  /** The rows as text; numbers as Java writes them, so that they are read back exactly. */
  String encode() {
    StringBuilder text = new StringBuilder(HEADER).append('\n');
    for (Row row : rows) {
      EpochMetrics m = row.metrics;
      text.append(row.epoch).append(',').append(m.step()).append(',');
      text.append(m.trainLoss()).append(',').append(m.trainAccuracy()).append(',');
      if (row.evaluated()) {
        text.append(m.evaluationLoss()).append(',').append(m.evaluationAccuracy());
      } else {
        text.append(',');
      }
      text.append(',').append(m.learningRate()).append(',').append(m.imagesPerSecond());
      text.append('\n');
    }
    return text.toString();
  }

  /**
   * Reads rows that {@link #encode} wrote.
   *
   * @throws IllegalArgumentException if they are damaged
   */
  static MetricsLog decode(String text) {
    MetricsLog log = new MetricsLog();
    List<String> lines = text.lines().toList();
    if (lines.isEmpty() || !lines.get(0).equals(HEADER)) {
      throw new IllegalArgumentException("its metrics lack their header");
    }
    for (String line : lines.subList(1, lines.size())) {
      String[] f = line.split(",", -1);
      if (f.length != 8) {
        throw new IllegalArgumentException(
            "its metrics have a row of %d fields".formatted(f.length));
      }
      double epoch = Double.parseDouble(f[0]);
      log.add(
          epoch,
          new EpochMetrics(
              (int) Math.ceil(epoch),
              Long.parseLong(f[1]),
              Double.parseDouble(f[2]),
              Double.parseDouble(f[3]),
              f[4].isEmpty() ? Double.NaN : Double.parseDouble(f[4]),
              f[5].isEmpty() ? Double.NaN : Double.parseDouble(f[5]),
              Double.parseDouble(f[6]),
              Double.parseDouble(f[7])));
    }
    return log;
  }

  void write(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(encode().getBytes(StandardCharsets.UTF_8));
    AtomicFile.replace(
        file,
        channel -> {
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
        });
  }
}
