// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Speaks the protocol of pytorch_peer.py with no PyTorch behind it: every call takes 2 ms by its
 * clock. What it does wrong depends on the mode that it is asked for, or its first argument.
 */
public final class FakePeer {
  private FakePeer() {}

  /**
   * Answers until its input ends.
   *
   * @param arguments what to do wrong, then what pytorch_peer.py takes
   * @throws IOException if a request cannot be read
   * @throws InterruptedException if interrupted while it hangs
   */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader requests =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    int runs = 0;
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      Map<String, Object> request = JsonLine.parse(line);
      String mode = request.getOrDefault("mode", "").toString();
      String what = request.get("request").toString();
      if (arguments[0].equals("uninstalled")) {
        refuse(answers, "this Python has no usable torch");
      } else if (what.equals("hello")) {
        answer(answers, Map.of("version", "0.fake", "device", arguments[2]));
      } else if (what.equals("product")) {
        answer(answers, Map.of("per_second", 1e30));
      } else if (mode.equals("compile")) {
        refuse(answers, "CompileError: \"no\"\ncompiler");
      } else if (mode.equals("graph") && arguments[0].equals("hangs")) {
        Thread.sleep(60_000);
      } else if (mode.equals("graph") && arguments[0].equals("babbles")) {
        answers.println("Segmentation fault");
      } else if (mode.equals("graph") && arguments[0].equals("dies")) {
        System.err.println("out of luck");
        System.exit(3);
      } else if (what.equals("run") && arguments[0].equals("tires") && ++runs > 2) {
        refuse(answers, "CUDA out of memory");
      } else {
        answer(answers, what.equals("run") ? Map.of("ms", 2.0) : Map.of("peak_bytes", 5e6));
      }
    }
  }

  private static void answer(PrintStream answers, Map<String, Object> fields) {
    Map<String, Object> all = new LinkedHashMap<>(fields);
    all.put("ok", true);
    answers.println(JsonLine.of(all));
  }

  private static void refuse(PrintStream answers, String reason) {
    answers.println(JsonLine.of(Map.of("ok", false, "reason", reason)));
  }

  /**
   * Writes a file of arguments for that JVM, to be used in the script's place.
   *
   * @param folder where it goes
   * @param fault what the peer does wrong
   * @return the word that means the file
   * @throws IOException if it cannot be written
   */
  public static String script(Path folder, String fault) throws IOException {
    String classPath = ChildJvm.classPath(entry -> true).replace("\\", "\\\\");
    Path file = folder.resolve(fault + ".args");
    Files.write(
        file,
        List.of(
            "-XX:TieredStopAtLevel=1",
            "-cp",
            "\"" + classPath + "\"",
            FakePeer.class.getName(),
            fault));
    return "@" + file;
  }
}
