// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.Parameter;
import java.util.ArrayList;
import java.util.List;

/**
 * The parameters of a network with their gradients and optimizer state, as a table in device
 * memory, so that an {@link Optimizer} updates all of them in few launches. The tensors stay the
 * caller's and must outlive the table.
 */
public final class ParameterTable implements AutoCloseable {
  private record Entry(
      Tensor value,
      Tensor gradient,
      Tensor state0,
      Tensor state1,
      Tensor ema,
      float weightDecay,
      float learningRateScale) {}

  private final Device device;
  private final List<Entry> entries;
  private final Tensor[] tensors;
  private final Tensor table;
  private final long blocks;

  private ParameterTable(Stream stream, List<Entry> entries) {
    this.device = stream.device();
    this.entries = List.copyOf(entries);
    this.tensors =
        entries.stream()
            .flatMap(
                e -> java.util.stream.Stream.of(e.value, e.gradient, e.state0, e.state1, e.ema))
            .filter(t -> t != null)
            .toArray(Tensor[]::new);
    Parameter host =
        Struct.zeroed(Parameter::new, Math.multiplyExact(entries.size(), (long) parameterBytes()));
    long block = 0;
    for (int i = 0; i < entries.size(); i++) {
      Entry entry = entries.get(i);
      host.getPointer(i)
          .value(entry.value.address())
          .gradient(address(entry.gradient))
          .state_0(address(entry.state0))
          .state_1(address(entry.state1))
          .ema(address(entry.ema))
          .count(entry.value.elements())
          .weight_decay(entry.weightDecay)
          .learning_rate_scale(entry.learningRateScale)
          .first_block(block);
      long size = Fusewire.FW_PARAMETER_BLOCK;
      block += (entry.value.elements() + size - 1) / size;
    }
    this.blocks = block;
    this.table = Tensor.allocate(device, DType.U8, (long) entries.size() * parameterBytes());
    Status.check(
        Fusewire.fw_copy_from_host(
            stream.handle(), table.address(), host.address(), table.bytes()));
    Checks.reachable(host, table, stream, null);
  }

  private static int parameterBytes() {
    return org.bytedeco.javacpp.Loader.sizeof(Parameter.class);
  }

  private static long address(Tensor tensor) {
    return tensor == null ? 0 : tensor.address();
  }

  /** Collects parameters for a table. */
  public static final class Builder {
    private static final String ADD = "ParameterTable.add";

    private final Stream stream;
    private final List<Entry> entries = new ArrayList<>();

    private Builder(Stream stream) {
      this.stream = stream;
    }

    /**
     * Adds a parameter that an optimizer updates. All tensors are F32 with as many elements as the
     * value.
     *
     * @param value the parameter
     * @param gradient its gradient
     * @param state0 momentum buffer, AdamW's first moment
     * @param state1 RMSProp's mean square (to start at 1), AdamW's second moment; null for SGD
     * @param ema exponential moving average of the value, or null
     * @param weightDecay SGD, RMSProp: added to the gradient times the value; AdamW: decoupled
     * @param learningRateScale multiplies the learning rate, such as 1
     * @return this
     */
    public Builder add(
        Tensor value,
        Tensor gradient,
        Tensor state0,
        Tensor state1,
        Tensor ema,
        float weightDecay,
        float learningRateScale) {
      Checks.notNull(ADD, "gradient", gradient);
      Checks.notNull(ADD, "state0", state0);
      if (!(weightDecay >= 0) || !(learningRateScale >= 0)) {
        throw new IllegalArgumentException(
            ADD
                + ": weightDecay is "
                + weightDecay
                + " and learningRateScale "
                + learningRateScale
                + ", at least 0 fits");
      }
      return put(new Entry(value, gradient, state0, state1, ema, weightDecay, learningRateScale));
    }

    /**
     * Adds a tensor of which only a moving average is kept, such as BatchNorm's running statistics.
     *
     * @param value the tensor, F32
     * @param ema its average, F32
     * @return this
     */
    public Builder addAverageOnly(Tensor value, Tensor ema) {
      Checks.notNull(ADD, "ema", ema);
      return put(new Entry(value, null, null, null, ema, 0, 0));
    }

    private Builder put(Entry entry) {
      Checks.tensor(ADD, "value", entry.value, stream, DType.F32);
      Checks.positive(ADD, "number of elements of value", entry.value.elements());
      sameSize("gradient", entry.gradient, entry.value);
      sameSize("state0", entry.state0, entry.value);
      sameSize("state1", entry.state1, entry.value);
      sameSize("ema", entry.ema, entry.value);
      entries.add(entry);
      return this;
    }

    private void sameSize(String name, Tensor tensor, Tensor value) {
      if (tensor == null) {
        return;
      }
      Checks.tensor(ADD, name, tensor, stream, DType.F32);
      if (tensor.elements() != value.elements()) {
        throw new IllegalArgumentException(
            ADD
                + ": "
                + name
                + " has "
                + tensor.elements()
                + " elements but value "
                + value.elements());
      }
      Checks.disjoint(ADD, name, tensor, "value", value);
    }

    /**
     * Writes the table to the device.
     *
     * @return a new table, to be closed
     * @throws IllegalStateException if nothing was added
     */
    public ParameterTable build() {
      if (entries.isEmpty()) {
        throw new IllegalStateException("ParameterTable.build: no parameter was added");
      }
      return new ParameterTable(stream, entries);
    }
  }

  /**
   * Starts a table.
   *
   * @param stream a stream of the device that the parameters are on
   * @return an empty builder
   */
  public static Builder builder(Stream stream) {
    Checks.stream("ParameterTable.builder", stream);
    return new Builder(stream);
  }

  /**
   * Number of parameters, those with an average only included.
   *
   * @return at least 1
   */
  public int size() {
    return entries.size();
  }

  long blocks() {
    return blocks;
  }

  /**
   * Address of the table, once it and all its tensors have been found open and on the stream's
   * device.
   */
  long address(String operation, Stream stream, OptimizerSettings.Kind kind) {
    long address = Checks.tensor(operation, "table", table, stream, DType.U8);
    for (Tensor tensor : tensors) {
      if (tensor.isClosed()) {
        throw new IllegalStateException(
            operation + ": the table's tensor " + tensor + " is closed");
      }
      stream.uses(tensor);
    }
    if (kind.states() > 1) {
      for (int i = 0; i < entries.size(); i++) {
        if (entries.get(i).gradient != null && entries.get(i).state1 == null) {
          throw new IllegalArgumentException(
              operation + ": parameter " + i + " has no state1, which " + kind + " needs");
        }
      }
    }
    return address;
  }

  /** Frees the table, not the parameters. Closing twice does nothing. */
  @Override
  public void close() {
    table.close();
  }
}
