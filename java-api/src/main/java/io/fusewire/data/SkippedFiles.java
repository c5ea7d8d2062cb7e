// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Collects the files that could not be used, each once, and reports the first few as they come.
 * Safe for many threads.
 */
public final class SkippedFiles {
  private static final int REPORTED = 20;

  private final Map<Path, String> reasons = new LinkedHashMap<>();
  private final Consumer<String> report;

  /**
   * Starts an empty collection.
   *
   * @param report receives a line for each of the first 20 files
   */
  public SkippedFiles(Consumer<String> report) {
    this.report = report;
  }

  /**
   * Adds a file; one that is already there is not added again.
   *
   * @param file the file
   * @param reason why it cannot be used
   */
  public synchronized void add(Path file, String reason) {
    if (reasons.putIfAbsent(file, reason) == null) {
      if (reasons.size() <= REPORTED) {
        report.accept("left out " + file + ": " + reason);
      } else if (reasons.size() == REPORTED + 1) {
        report.accept("more files are left out; the run's end says how many");
      }
    }
  }

  /**
   * Number of files left out so far.
   *
   * @return each counted once
   */
  public synchronized int count() {
    return reasons.size();
  }

  /**
   * The files left out so far and why.
   *
   * @return a copy, in the order they were found
   */
  public synchronized Map<Path, String> reasons() {
    return new LinkedHashMap<>(reasons);
  }
}
