// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.calls;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.ops.DepthwiseConv;
import io.fusewire.ops.Stream;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.openjdk.jmh.annotations.Benchmark;

/** That the call of every operation is measured, by a benchmark that runs. */
final class CallBenchmarksTest {
  /** The public classes of the operations' package. */
  private static List<Class<?>> published() throws Exception {
    String folder = DepthwiseConv.class.getPackageName().replace('.', '/');
    Path from =
        Path.of(DepthwiseConv.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    if (Files.isDirectory(from)) {
      return published(from.resolve(folder));
    }
    try (FileSystem jar = FileSystems.newFileSystem(from)) {
      return published(jar.getPath(folder));
    }
  }

  private static List<Class<?>> published(Path folder) throws Exception {
    List<Class<?>> classes = new ArrayList<>();
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (name.endsWith(".class") && !name.contains("$") && !name.contains("-info")) {
          String simple = name.substring(0, name.length() - ".class".length());
          Class<?> type = Class.forName(DepthwiseConv.class.getPackageName() + "." + simple);
          if (Modifier.isPublic(type.getModifiers())) {
            classes.add(type);
          }
        }
      }
    }
    return classes;
  }

  /** Methods that launch work: of what owns no memory, and on a stream. */
  private static List<String> calls(Class<?> type) {
    if (AutoCloseable.class.isAssignableFrom(type)) {
      return List.of();
    }
    return Arrays.stream(type.getDeclaredMethods())
        .filter(m -> Modifier.isPublic(m.getModifiers()) && m.getReturnType() == void.class)
        .filter(m -> m.getParameterCount() > 0 && m.getParameterTypes()[0] == Stream.class)
        .map(Method::getName)
        .distinct()
        .sorted()
        .toList();
  }

  static List<Class<?>> operations() throws Exception {
    List<Class<?>> operations =
        published().stream().filter(type -> !calls(type).isEmpty()).toList();
    assertTrue(operations.size() > 15, operations.toString());
    return operations;
  }

  @ParameterizedTest
  @MethodSource("operations")
  void everyCallIsMeasured(Class<?> operation) throws Exception {
    Class<?> type =
        Class.forName(
            CallBenchmark.class.getPackageName() + "." + operation.getSimpleName() + "Benchmark");
    List<Method> measured =
        Arrays.stream(type.getDeclaredMethods())
            .filter(m -> m.isAnnotationPresent(Benchmark.class))
            .toList();
    for (String call : calls(operation)) {
      assertTrue(
          measured.stream().anyMatch(m -> m.getName().equals(call)),
          "no benchmark of " + operation.getSimpleName() + "." + call);
    }
    CallBenchmark benchmark = (CallBenchmark) type.getConstructor().newInstance();
    benchmark.open();
    try {
      for (Method method : measured) {
        method.invoke(benchmark);
      }
    } finally {
      benchmark.close();
    }
  }
}
