// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A child process that answers every line with a line, both JSON objects. It is ended when it takes
 * too long, answers something else, or is closed; what it says on its standard error is kept for
 * the reason.
 */
final class PeerProcess implements AutoCloseable {
  private static final String END = "";
  private static final int LONGEST_REASON = 300;
  private static final Duration PATIENCE_AT_CLOSE = Duration.ofSeconds(5);

  private final Process process;
  private final Writer requests;
  private final Path errors;
  private final Duration timeout;
  private final BlockingQueue<String> answers = new LinkedBlockingQueue<>();
  private boolean ended;

  /**
   * Starts it.
   *
   * @param command words of the command line
   * @param timeout how long an answer may take
   * @throws PeerException if there is no such command
   */
  PeerProcess(List<String> command, Duration timeout) throws PeerException {
    this.timeout = timeout;
    try {
      errors = Files.createTempFile("fusewire-peer", ".log");
    } catch (IOException e) {
      throw new PeerException("no temporary file can be made: " + e.getMessage(), e);
    }
    try {
      process = new ProcessBuilder(command).redirectError(errors.toFile()).start();
    } catch (IOException e) {
      forget();
      throw new PeerException("cannot be started: " + e.getMessage(), e);
    }
    requests = process.outputWriter(StandardCharsets.UTF_8);
    Thread reader = new Thread(this::read, "peer");
    reader.setDaemon(true);
    reader.start();
  }

  private void read() {
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (!line.isBlank()) {
          answers.add(line);
        }
      }
    } catch (IOException e) {
      // The process was ended; whoever waits for an answer is told so below.
    }
    answers.add(END);
  }

  /** Whether it can be asked; a process that is being killed lives a little longer. */
  boolean isAlive() {
    return !ended && process.isAlive();
  }

  /**
   * Asks and waits for the answer.
   *
   * @throws PeerException if none comes in time, or one that says that it failed; unless it says so
   *     itself, the process has been ended
   */
  Map<String, Object> ask(Map<String, ?> request) throws PeerException {
    String line;
    try {
      requests.write(JsonLine.of(request) + "\n");
      requests.flush();
      line = answers.poll(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (IOException e) {
      // What it died of is in its last words.
      line = END;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      end();
      throw new PeerException("interrupted", e);
    }
    if (line == null) {
      end();
      throw new PeerException("no answer within " + timeout.toSeconds() + " s; it was ended");
    }
    if (line.equals(END)) {
      throw new PeerException(death());
    }
    Map<String, Object> answer;
    try {
      answer = JsonLine.parse(line);
    } catch (IOException e) {
      end();
      throw new PeerException("it answered '" + shortened(line) + "', no line of JSON", e);
    }
    if (!Boolean.TRUE.equals(answer.get("ok"))) {
      throw new PeerException(shortened(String.valueOf(answer.get("reason"))));
    }
    return answer;
  }

  private String death() {
    try {
      process.waitFor(PATIENCE_AT_CLOSE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    String exit =
        process.isAlive()
            ? "it closed its output"
            : "it ended with exit code " + process.exitValue();
    end();
    String last = lastWords();
    return last.isEmpty() ? exit : exit + ": " + last;
  }

  private String lastWords() {
    try {
      // Not readAllLines: what a dying process writes need not be UTF-8.
      String text = new String(Files.readAllBytes(errors), StandardCharsets.UTF_8);
      return text.lines()
          // Of a stack trace the message, not its frames.
          .filter(line -> !line.isBlank() && line.strip().length() == line.stripTrailing().length())
          .filter(line -> !line.startsWith("..."))
          .reduce((first, second) -> second)
          .map(PeerProcess::shortened)
          .orElse("");
    } catch (IOException e) {
      return "";
    }
  }

  private static String shortened(String text) {
    String line = text.strip().replaceAll("\\s+", " ");
    return line.length() <= LONGEST_REASON ? line : line.substring(0, LONGEST_REASON) + " ...";
  }

  private void end() {
    ended = true;
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  private void forget() {
    try {
      Files.deleteIfExists(errors);
    } catch (IOException e) {
      // A file too many in the folder for temporary files.
    }
  }

  /** Lets it end by itself, by the end of its input, and ends it if it does not. */
  @Override
  public void close() {
    try {
      requests.close();
      process.waitFor(PATIENCE_AT_CLOSE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (IOException e) {
      // It is gone already.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    end();
    forget();
  }
}
