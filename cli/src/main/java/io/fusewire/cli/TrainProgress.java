// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.train.EpochMetrics;
import io.fusewire.train.ProgressListener;
import java.io.PrintWriter;
import java.util.concurrent.TimeUnit;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows a training run: a bar that moves on a terminal, a line now and then elsewhere (a log file
 * is no place for a bar).
 */
final class TrainProgress implements ProgressListener, AutoCloseable {
  private static final long LINE_NANOS = TimeUnit.SECONDS.toNanos(30);
  private static final int BAR_MILLIS = 200;

  private final PrintWriter log;
  private final boolean terminal;
  private ProgressBar bar;
  private long lastLine;

  private TrainProgress(PrintWriter log, boolean terminal) {
    this.log = log;
    this.terminal = terminal;
  }

  /**
   * Shows on a writer; there is a bar where the launcher has seen a terminal. (Java's own console
   * is there from JDK 22 on even where there is no terminal.)
   */
  static TrainProgress on(PrintWriter log) {
    return new TrainProgress(log, Boolean.getBoolean("fusewire.terminal"));
  }

  @Override
  public synchronized void message(String line) {
    if (bar != null) {
      bar.pause();
      clearLine();
    }
    log.println(line);
    log.flush();
    if (bar != null) {
      bar.resume();
    }
  }

  @Override
  public synchronized void started(Start start) {
    message(
        Quantities.format(
            "%s, %,d parameters to train, on %s; %,d training images, %,d to evaluate, %d classes",
            start.model(),
            start.parameters(),
            start.device(),
            start.trainImages(),
            start.evaluationImages(),
            start.classes()));
    message(
        Quantities.format(
            "%s, %,d steps each; memory: %s planned for activations, %s in all",
            Quantities.epochs(start.epochs()),
            start.stepsPerEpoch(),
            Quantities.bytes(start.arenaBytes()),
            Quantities.bytes(start.totalBytes())));
    lastLine = System.nanoTime();
    if (terminal) {
      long steps = start.epochs() * start.stepsPerEpoch();
      bar =
          new ProgressBarBuilder()
              .setTaskName("training")
              .setInitialMax(steps)
              .setStyle(ProgressBarStyle.UNICODE_BLOCK)
              .setUpdateIntervalMillis(BAR_MILLIS)
              .hideEta() // ours knows of evaluations
              .startsFrom(start.firstStep(), java.time.Duration.ZERO)
              .build();
    }
  }

  @Override
  public synchronized void stepped(Step step) {
    String numbers =
        Quantities.format(
            "%,.0f images/s, loss %.3f, %s left",
            step.imagesPerSecond(), step.loss(), Quantities.duration(step.secondsLeft()));
    if (bar != null) {
      bar.stepTo(step.step());
      bar.setExtraMessage("epoch %d/%d, %s".formatted(step.epoch(), step.epochs(), numbers));
    } else if (!terminal && System.nanoTime() - lastLine > LINE_NANOS) {
      lastLine = System.nanoTime();
      log.println(
          Quantities.format(
              "step %,d/%,d, epoch %d/%d, %s",
              step.step(), step.totalSteps(), step.epoch(), step.epochs(), numbers));
    }
  }

  @Override
  public synchronized void evaluating(int epoch, long done, long total) {
    if (bar != null) {
      bar.setExtraMessage(Quantities.format("epoch %d, evaluating %,d/%,d", epoch, done, total));
    }
  }

  @Override
  public synchronized void epochEnded(EpochMetrics metrics) {
    message(
        Quantities.format(
            "epoch %d: training loss %.3f, test loss %.3f, test accuracy %s, %,.0f images/s",
            metrics.epoch(),
            metrics.trainLoss(),
            metrics.evaluationLoss(),
            Quantities.percent(metrics.evaluationAccuracy()),
            metrics.imagesPerSecond()));
  }

  @Override
  public synchronized void close() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
  }

  private void clearLine() {
    log.print("\r\033[K");
  }
}
