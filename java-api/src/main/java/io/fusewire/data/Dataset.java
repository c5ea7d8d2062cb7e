// SPDX-License-Identifier: Apache-2.0
package io.fusewire.data;

import java.util.List;

/**
 * Labelled images of one size, delivered as uint8 in (height, width, channels). Safe for use by
 * many threads.
 */
public interface Dataset {

  /**
   * Number of images.
   *
   * @return at least 1
   */
  int size();

  /**
   * Height of every image delivered.
   *
   * @return pixels
   */
  int height();

  /**
   * Width of every image delivered.
   *
   * @return pixels
   */
  int width();

  /**
   * Channels of every image delivered.
   *
   * @return 1 (grey) or 3 (red, green, blue)
   */
  int channels();

  /**
   * Names of the classes.
   *
   * @return in the order of their labels
   */
  List<String> classNames();

  /**
   * Class of an image.
   *
   * @param index the image, from 0
   * @return index into {@link #classNames()}
   */
  int label(int index);

  /**
   * Delivers an image.
   *
   * @param index the image, from 0
   * @param random what a random crop is drawn from; the same number gives the same crop
   * @param target receives height*width*channels bytes
   * @param offset where in the target
   * @return false if the image cannot be used; it has then been reported, and the target is
   *     undefined
   */
  boolean read(int index, long random, byte[] target, int offset);
}
