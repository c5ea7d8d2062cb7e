// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Device;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/** Runs the modules' JUnit tests from their jars, on one device. */
final class DeviceTests {
  private static final int SHOWN_FAILURES = 20;

  /** Kept here, since its level would go with it. */
  private static final Logger LIBRARY = Logger.getLogger("io.fusewire");

  private DeviceTests() {}

  /**
   * What came of them.
   *
   * @param passed tests
   * @param failed tests and containers
   * @param skipped tests
   */
  record Outcome(long passed, long failed, long skipped) {}

  /**
   * Runs them.
   *
   * @param folder of the jars {@code *-tests.jar}, which are on the class path
   * @param device of the parameterised tests; others choose for themselves
   * @param pattern simple names of classes, with stars; null: all
   * @param out receives failures
   * @return counts
   * @throws IOException if the folder cannot be read
   */
  static Outcome run(Path folder, Device device, String pattern, PrintWriter out)
      throws IOException {
    Set<Path> jars;
    try (Stream<Path> files = Files.list(folder)) {
      jars = files.filter(f -> f.toString().endsWith("-tests.jar")).collect(Collectors.toSet());
    }
    return run(DiscoverySelectors.selectClasspathRoots(jars), device, classes(pattern), out);
  }

  /** Runs what some selectors find. */
  static Outcome run(
      List<? extends DiscoverySelector> selectors, Device device, String classes, PrintWriter out) {
    OneDevice.choose(device);
    // Tests of damaged files would tell of each.
    LIBRARY.setLevel(Level.WARNING);
    var request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(selectors)
            .filters(
                TagFilter.excludeTags("oracle", "soak", "build"),
                ClassNameFilter.includeClassNamePatterns(classes))
            .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "true")
            .build();
    SummaryGeneratingListener listener = new SummaryGeneratingListener();
    LauncherFactory.create().execute(request, listener);
    TestExecutionSummary summary = listener.getSummary();
    summary.getFailures().stream()
        .limit(SHOWN_FAILURES)
        .forEach(
            failure -> {
              String what = failure.getTestIdentifier().getLegacyReportingName();
              out.println("tests: FAILED " + what + ": " + failure.getException());
            });
    long passed = summary.getTestsSucceededCount() - OneDevice.leftOut();
    out.printf("tests: %d passed, %d failed%n", passed, summary.getTotalFailureCount());
    return new Outcome(passed, summary.getTotalFailureCount(), summary.getTestsSkippedCount());
  }

  /** A regular expression for class names. */
  private static String classes(String pattern) {
    return pattern == null
        ? ".*Test"
        : ".*[.$]" + pattern.replace(".", "\\.").replace("*", ".*").replace("$", "\\$");
  }
}
