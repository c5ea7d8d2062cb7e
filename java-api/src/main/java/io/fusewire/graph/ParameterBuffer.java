// SPDX-License-Identifier: Apache-2.0
package io.fusewire.graph;

import io.fusewire.model.Parameter;
import io.fusewire.model.Parameters;
import io.fusewire.ops.DType;
import io.fusewire.ops.Device;
import io.fusewire.ops.Stream;
import io.fusewire.ops.Tensor;

/**
 * One f32 buffer on a device with a network's parameters, or with something that goes along with
 * them, such as gradients.
 */
public final class ParameterBuffer implements AutoCloseable {
  private final Parameters parameters;
  private final Tensor all;

  /**
   * Allocates a buffer.
   *
   * @param device where
   * @param parameters what it holds
   * @param trainedOnly true for gradients and optimizer states, which running statistics do not
   *     have
   */
  public ParameterBuffer(Device device, Parameters parameters, boolean trainedOnly) {
    this.parameters = parameters;
    all =
        Tensor.allocate(
            device, DType.F32, trainedOnly ? parameters.trainedElements() : parameters.elements());
  }

  /**
   * The whole buffer.
   *
   * @return (elements)
   */
  public Tensor all() {
    return all;
  }

  /**
   * One parameter's part.
   *
   * @param parameter the parameter
   * @return a slice in the kernels' layout
   */
  public Tensor of(Parameter parameter) {
    return all.slice(parameter.offset() * DType.F32.bytes(), DType.F32, parameter.kernelShape());
  }

  /**
   * One parameter's part.
   *
   * @param name timm's name
   * @return a slice in the kernels' layout
   */
  public Tensor of(String name) {
    return of(parameters.get(name));
  }

  /**
   * Fills the buffer.
   *
   * @param stream a stream of its device
   * @param values as many as the buffer has elements
   */
  public void load(Stream stream, float[] values) {
    all.copyFrom(stream, values);
  }

  /**
   * Reads the buffer.
   *
   * @param stream a stream of its device
   * @return all elements
   */
  public float[] save(Stream stream) {
    return all.toFloats(stream);
  }

  @Override
  public void close() {
    all.close();
  }
}
