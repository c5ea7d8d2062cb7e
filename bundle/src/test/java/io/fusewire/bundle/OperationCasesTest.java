// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
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
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** That no operation is forgotten. */
final class OperationCasesTest {
  /** Methods that launch work, as {@code Class.method}: of what owns no memory, and on a stream. */
  private static Set<String> published(Path folder) throws Exception {
    Set<String> calls = new TreeSet<>();
    List<Path> files = new ArrayList<>();
    try (var all = Files.list(folder)) {
      all.forEach(files::add);
    }
    for (Path file : files) {
      String name = file.getFileName().toString();
      if (!name.endsWith(".class") || name.contains("$") || name.contains("-info")) {
        continue;
      }
      Class<?> type =
          Class.forName(
              DepthwiseConv.class.getPackageName()
                  + "."
                  + name.substring(0, name.length() - ".class".length()));
      if (Modifier.isPublic(type.getModifiers()) && !AutoCloseable.class.isAssignableFrom(type)) {
        Arrays.stream(type.getDeclaredMethods())
            .filter(m -> Modifier.isPublic(m.getModifiers()) && m.getReturnType() == void.class)
            .filter(m -> m.getParameterCount() > 0 && m.getParameterTypes()[0] == Stream.class)
            .map(Method::getName)
            .forEach(method -> calls.add(type.getSimpleName() + "." + method));
      }
    }
    return calls;
  }

  private static Set<String> published() throws Exception {
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

  /** What a case's name stands for: {@code A.b+c d} is A.b and A.c. */
  private static List<String> calls(OperationCase operation) {
    String method = operation.method().split(" ", -1)[0];
    String type = method.substring(0, method.indexOf('.'));
    return Arrays.stream(method.substring(type.length() + 1).split("\\+", -1))
        .map(call -> type + "." + call)
        .toList();
  }

  @Test
  void everyCallHasACase() throws Exception {
    Set<String> published = published();
    assertTrue(published.size() > 30, published.toString());
    Set<String> covered =
        OperationCases.all().stream()
            .flatMap(operation -> calls(operation).stream())
            .collect(Collectors.toCollection(TreeSet::new));
    assertEquals(published, covered);
  }

  @Test
  void namesAreDistinct() {
    List<String> names = GoldenTests.cases(false).stream().map(GoldenCase::name).toList();
    assertEquals(names.size(), Set.copyOf(names).size());
  }
}
