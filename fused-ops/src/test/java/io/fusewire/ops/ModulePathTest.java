// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.Loader;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The artifacts work as modules: found on the module path, with the native library in a jar of its
 * own.
 */
@Tag("unit")
@Tag("build") // of what a build leaves, so not for tests in a bundle
class ModulePathTest {
  @Test
  void operationsRunFromTheModulePath() throws Exception {
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    String separator = File.pathSeparator;
    String javacpp = "javacpp-" + Loader.getVersion() + ".jar";
    String modulePath =
        List.of(classPath.split(separator)).stream()
            .filter(
                p ->
                    p.contains("fusewire-native")
                        || p.contains("native-build")
                        || p.contains(
                            "fused-ops" + File.separator + "target" + File.separator + "classes")
                        || p.endsWith(javacpp))
            .collect(Collectors.joining(separator));
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    String cache = System.getProperty("org.bytedeco.javacpp.cachedir");
    if (cache != null) {
      command.add("-Dorg.bytedeco.javacpp.cachedir=" + cache);
    }
    command.addAll(List.of("--module-path", modulePath));
    command.addAll(
        List.of("--patch-module", "io.fusewire.ops=" + Path.of("target", "test-classes")));
    command.addAll(List.of("--add-modules", "ALL-MODULE-PATH"));
    command.addAll(List.of("--module", "io.fusewire.ops/io.fusewire.ops.ModuleMain"));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    assertEquals("io.fusewire.ops " + PhiloxReference.uniform(0, 0, 0, 0, 0), output.strip());
  }
}
