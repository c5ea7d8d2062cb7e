// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

/** What a layer of an EfficientNet is; the last part of a problem's name. */
public enum Layer {
  /** The first convolution, dense. */
  STEM("stem"),
  /** A block's first pointwise convolution. */
  EXPAND("expand"),
  /** A block's depthwise convolution. */
  DEPTHWISE("dw"),
  /** A block's squeeze-and-excite. */
  SQUEEZE_EXCITE("se"),
  /** A block's last pointwise convolution, whose source is gated. */
  PROJECT("project"),
  /** The last convolution, pointwise. */
  HEAD("head"),
  /** The mean over all pixels. */
  POOL("pool"),
  /** The linear layer at the end. */
  CLASSIFIER("classifier");

  private final String label;

  Layer(String label) {
    this.label = label;
  }

  /**
   * As it is written in the problem file.
   *
   * @return such as {@code dw}
   */
  public String label() {
    return label;
  }

  /**
   * Reads what {@link #label} wrote.
   *
   * @param label such as {@code dw}
   * @return the layer
   * @throws IllegalArgumentException if there is none of that label
   */
  public static Layer of(String label) {
    StringBuilder known = new StringBuilder();
    for (Layer layer : values()) {
      if (layer.label.equals(label)) {
        return layer;
      }
      known.append(known.isEmpty() ? "" : ", ").append(layer.label);
    }
    throw new IllegalArgumentException("no layer is '" + label + "'; there are " + known);
  }
}
