// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import java.io.PrintWriter;
import java.util.concurrent.CountDownLatch;

/**
 * Lets Ctrl-C and SIGTERM end a run in good order: while this is open, the JVM's shutdown asks the
 * run to stop and waits until it has, so that its checkpoint is whole. The JVM then ends with the
 * signal's exit code, 130 or 143.
 */
final class StopOnSignal implements AutoCloseable {
  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread hook;

  StopOnSignal(Runnable stop, PrintWriter log) {
    hook =
        new Thread(
            () -> {
              log.println();
              log.println("stopping after this step ...");
              log.flush();
              stop.run();
              try {
                ended.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            },
            "stop-on-signal");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** The run has ended: whether by itself or asked to, the JVM may end. */
  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is shutting down: the hook is what waits for us.
    }
    ended.countDown();
  }
}
