// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

/** Run by {@link ModulePathTest} inside the module. */
public final class ModuleMain {
  private ModuleMain() {}

  /**
   * Prints the module's name and what a kernel computed.
   *
   * @param args none
   */
  public static void main(String[] args) {
    try (Stream stream = Stream.open(Device.cpu());
        Tensor tensor = Tensor.allocate(Device.cpu(), DType.F32, 1)) {
      Philox.uniform(stream, 0, 0, 0, 0, tensor);
      String module = ModuleMain.class.getModule().getName();
      System.out.println(module + " " + tensor.toFloats(stream)[0]);
    }
  }
}
