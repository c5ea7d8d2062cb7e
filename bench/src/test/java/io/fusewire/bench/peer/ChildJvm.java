// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import java.io.File;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** What another JVM needs to run the classes of this test run. */
public final class ChildJvm {
  private ChildJvm() {}

  /**
   * The JVM that runs this test.
   *
   * @return its command
   */
  public static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }

  /**
   * All jars and folders of this test run, whether they are modules here or not.
   *
   * @param wanted which of them, by file name
   * @return a class path
   */
  public static String classPath(Predicate<String> wanted) {
    Set<String> entries = new LinkedHashSet<>();
    entries.add(Path.of("target", "test-classes").toAbsolutePath().toString());
    entries.add(Path.of("target", "classes").toAbsolutePath().toString());
    for (String property :
        new String[] {"jdk.module.path", "java.class.path", "surefire.test.class.path"}) {
      String path = System.getProperty(property, "");
      Arrays.stream(path.split(File.pathSeparator))
          .filter(entry -> !entry.isEmpty())
          .filter(entry -> wanted.test(Path.of(entry).getFileName().toString()))
          .forEach(entries::add);
    }
    return entries.stream().collect(Collectors.joining(File.pathSeparator));
  }
}
