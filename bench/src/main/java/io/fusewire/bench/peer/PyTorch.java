// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.peer;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * PyTorch in a process of its own, {@code pytorch_peer.py}, which makes a case, runs it whenever it
 * is asked to, and tells the time that it took by its own clock: events on a GPU. A process that
 * died or was ended is started again for the next case.
 */
public final class PyTorch implements AutoCloseable {
  /** Names of the modes: how PyTorch runs a case. */
  public static final List<String> MODES = List.of("eager", "compile", "graph");

  private static final double MILLI = 1e-3;

  private final List<String> command;
  private final Duration timeout;
  private final Map<String, String> facts = new LinkedHashMap<>();
  private PeerProcess process;
  private String absence = "";
  private int cases;

  /**
   * Remembers how to start it.
   *
   * @param command words of the command line
   * @param timeout how long a case may take to be made ready
   */
  public PyTorch(List<String> command, Duration timeout) {
    this.command = List.copyOf(command);
    this.timeout = timeout;
  }

  /** A case that PyTorch has made ready. */
  public static final class Entrant {
    private final int id;
    private final PeerProcess owner;
    private String reason = "";

    private Entrant(int id, PeerProcess owner) {
      this.id = id;
      this.owner = owner;
    }

    /**
     * Runs the case.
     *
     * @return seconds of one call; NaN once it failed, and from then on
     */
    public double seconds() {
      if (reason.isEmpty()) {
        try {
          return number(owner.ask(request("run")), "ms") * MILLI;
        } catch (PeerException e) {
          reason = e.getMessage();
        }
      }
      return Double.NaN;
    }

    /**
     * Why the case failed.
     *
     * @return one line; "" if it did not
     */
    public String reason() {
      return reason;
    }

    /**
     * Gives the case's memory back.
     *
     * @return the most memory of the device that it had, in bytes; NaN if that is not known
     */
    public double close() {
      try {
        return owner.isAlive() ? number(owner.ask(request("drop")), "peak_bytes") : Double.NaN;
      } catch (PeerException e) {
        return Double.NaN;
      }
    }

    private Map<String, Object> request(String what) {
      Map<String, Object> request = new LinkedHashMap<>();
      request.put("request", what);
      request.put("id", id);
      return request;
    }
  }

  private static double number(Map<String, Object> answer, String name) {
    return answer.get(name) instanceof Double value ? value : Double.NaN;
  }

  /**
   * Starts the process if it does not run.
   *
   * @return what it says about itself: versions and device
   * @throws PeerException if it cannot be started, or has no PyTorch
   */
  public Map<String, String> facts() throws PeerException {
    started();
    return Map.copyOf(facts);
  }

  private PeerProcess started() throws PeerException {
    if (process != null && !process.isAlive()) {
      process.close();
      process = null;
    }
    if (!absence.isEmpty()) {
      throw new PeerException(absence);
    }
    if (process == null) {
      process = greeted();
    }
    return process;
  }

  private PeerProcess greeted() throws PeerException {
    try {
      PeerProcess fresh = new PeerProcess(command, timeout);
      boolean greeted = false;
      try {
        fresh
            .ask(Map.of("request", "hello"))
            .forEach(
                (name, value) -> {
                  if (!name.equals("ok")) {
                    facts.put(name, value.toString());
                  }
                });
        greeted = true;
        return fresh;
      } finally {
        if (!greeted) {
          fresh.close();
        }
      }
    } catch (PeerException e) {
      // What is not installed will not be there for the next case either.
      absence = e.getMessage();
      throw e;
    }
  }

  /**
   * Makes a case ready, compiled and run a few times.
   *
   * @param fields what it is, as {@code pytorch_peer.py} documents
   * @return the case, to be closed
   * @throws PeerException if it cannot be done
   */
  public Entrant prepare(Map<String, Object> fields) throws PeerException {
    PeerProcess running = started();
    Map<String, Object> request = new LinkedHashMap<>();
    request.put("request", "prepare");
    request.put("id", ++cases);
    request.putAll(fields);
    running.ask(request);
    return new Entrant(cases, running);
  }

  /**
   * What PyTorch reaches in a large product.
   *
   * @param dtype such as {@code bf16}
   * @return floating-point operations per second
   * @throws PeerException if it cannot be done
   */
  public double product(String dtype) throws PeerException {
    return number(started().ask(Map.of("request", "product", "dtype", dtype)), "per_second");
  }

  @Override
  public void close() {
    if (process != null) {
      process.close();
    }
  }
}
