// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which peers of this process are there. A source tree has them all; a bundle, which would be ten
 * times as large with them, has none, and everything else must work without.
 */
public enum Installed {
  /** libtorch, by org.bytedeco:pytorch. */
  LIBTORCH("libtorch", "org.bytedeco.pytorch.global.torch", true),
  /** ONNX Runtime. */
  ONNXRUNTIME("onnxruntime", "ai.onnxruntime.OrtEnvironment", false),
  /** The Java Microbenchmark Harness. */
  JMH("JMH", "org.openjdk.jmh.runner.Runner", false);

  /** What was found, looked for once. */
  private static final Map<Installed, Optional<String>> ABSENCES = new ConcurrentHashMap<>();

  private final String label;
  private final String mainClass;
  private final boolean initialise;

  Installed(String label, String mainClass, boolean initialise) {
    this.label = label;
    this.mainClass = mainClass;
    this.initialise = initialise;
  }

  /**
   * Its name in results and on the command line.
   *
   * @return such as {@code libtorch}
   */
  public String label() {
    return label;
  }

  /**
   * Its classes' version.
   *
   * @return {@code absent} without its classes, {@code unknown} if they do not say
   */
  public String version() {
    try {
      Class<?> found = Class.forName(mainClass, false, Installed.class.getClassLoader());
      String version = found.getPackage().getImplementationVersion();
      return version == null ? "unknown" : version;
    } catch (ClassNotFoundException | LinkageError e) {
      return "absent";
    }
  }

  /**
   * Whether it can be used.
   *
   * @return true if it can
   */
  public boolean present() {
    return absence().isEmpty();
  }

  /**
   * Why it cannot be used.
   *
   * @return one line; empty if it can
   */
  public Optional<String> absence() {
    return ABSENCES.computeIfAbsent(this, peer -> Optional.ofNullable(peer.lookForIt()));
  }

  private String lookForIt() {
    try {
      Class.forName(mainClass, initialise, Installed.class.getClassLoader());
      return null;
    } catch (ClassNotFoundException e) {
      return label + " is absent: its jars are not on the class path";
    } catch (LinkageError e) {
      return label + " is absent: it does not load: " + e.getMessage();
    }
  }
}
