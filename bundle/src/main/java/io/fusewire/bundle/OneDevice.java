// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.ops.Device;
import java.lang.reflect.Method;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;

/** Leaves out a parameterised test's runs on other devices than the chosen one. */
public final class OneDevice implements InvocationInterceptor {
  private static final AtomicLong LEFT_OUT = new AtomicLong();
  private static volatile Device chosen;

  /** Made by JUnit. */
  public OneDevice() {}

  static void choose(Device device) {
    chosen = device;
    LEFT_OUT.set(0);
  }

  /** Runs that were left out, which JUnit takes for passed ones. */
  static long leftOut() {
    return LEFT_OUT.get();
  }

  @Override
  public void interceptTestTemplateMethod(
      Invocation<Void> invocation,
      ReflectiveInvocationContext<Method> context,
      ExtensionContext extensionContext)
      throws Throwable {
    boolean other =
        context.getArguments().stream()
            .anyMatch(a -> a instanceof Device && chosen != null && a != chosen);
    if (other) {
      LEFT_OUT.incrementAndGet();
      invocation.skip();
    } else {
      invocation.proceed();
    }
  }
}
