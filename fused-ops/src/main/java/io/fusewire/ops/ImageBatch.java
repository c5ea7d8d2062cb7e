// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.Fusewire;
import io.fusewire.binding.ImageBatchProblem;

/**
 * Turns 8-bit images into normalised NHWC activations: dst = (bilinear(src)/255 - mean) / std.
 *
 * <p>A window of the source is resampled (bilinear, half-pixel centres) to the size of the result.
 * Its corner is centred, or drawn uniformly from [-padding, in-crop+padding] per axis if random;
 * pixels outside are 0 before normalisation. With flip an image is mirrored left-right with
 * probability 1/2. Image n uses Philox words 0 (y), 1 (x) and 2 (flip) of counter (n, 0, step,
 * layer).
 */
public final class ImageBatch {
  private static final String FORWARD = "ImageBatch.forward";

  private final ImageBatchProblem problem;
  private final DType dtype;
  private final long batch;
  private final long inHeight;
  private final long inWidth;
  private final long channels;
  private final long outHeight;
  private final long outWidth;
  private final boolean drawsRandom;

  private ImageBatch(Builder builder) {
    String name = "ImageBatch";
    this.dtype = builder.dtype;
    this.batch = builder.batch;
    this.inHeight = builder.inHeight;
    this.inWidth = builder.inWidth;
    this.channels = builder.channels;
    this.outHeight = builder.outHeight;
    this.outWidth = builder.outWidth;
    this.drawsRandom = builder.random || builder.flip;
    Checks.product(name, "src", Math.max(batch, 1), inHeight, inWidth, channels);
    Checks.product(name, "dst", 4, Math.max(batch, 1), outHeight, outWidth, channels);
    NativeLibrary.load();
    this.problem =
        Struct.allocate(ImageBatchProblem.class, ImageBatchProblem::new)
            .dtype(dtype.code())
            .random(builder.random ? 1 : 0)
            .flip(builder.flip ? 1 : 0)
            .layer(builder.layer)
            .batch(batch)
            .in_height(inHeight)
            .in_width(inWidth)
            .channels(channels)
            .crop_height(builder.cropHeight)
            .crop_width(builder.cropWidth)
            .out_height(outHeight)
            .out_width(outWidth)
            .padding(builder.padding);
    for (int c = 0; c < channels; c++) {
      problem.mean(c, builder.mean[c]).std(c, builder.std[c]);
    }
  }

  /**
   * Collects what an {@link ImageBatch} is to do; the defaults change nothing but the range, to
   * 0..1.
   */
  public static final class Builder {
    private static final String NAME = "ImageBatch.Builder";

    private final long batch;
    private final long inHeight;
    private final long inWidth;
    private final long channels;
    private DType dtype = DType.F32;
    private long cropHeight;
    private long cropWidth;
    private long outHeight;
    private long outWidth;
    private long padding;
    private boolean random;
    private boolean flip;
    private int layer;
    private float[] mean = new float[4];
    private float[] std = {1, 1, 1, 1};

    private Builder(long batch, long inHeight, long inWidth, long channels) {
      this.batch = Checks.notNegative(NAME, "batch", batch);
      this.inHeight = Checks.positive(NAME, "inHeight", inHeight);
      this.inWidth = Checks.positive(NAME, "inWidth", inWidth);
      if (channels < 1 || channels > 4) {
        throw new IllegalArgumentException(NAME + ": channels is " + channels + ", 1 to 4 fit");
      }
      this.channels = channels;
      this.cropHeight = inHeight;
      this.cropWidth = inWidth;
      this.outHeight = inHeight;
      this.outWidth = inWidth;
    }

    /**
     * Storage type of the result; F32 if not given.
     *
     * @param type F32, BF16 or F16
     * @return this
     */
    public Builder dtype(DType type) {
      this.dtype = Checks.floating(NAME, type);
      return this;
    }

    /**
     * Size of the window of the source that is used; the whole source if not given.
     *
     * @param height rows
     * @param width columns
     * @return this
     */
    public Builder crop(long height, long width) {
      this.cropHeight = Checks.positive(NAME, "crop height", height);
      this.cropWidth = Checks.positive(NAME, "crop width", width);
      return this;
    }

    /**
     * Size of the result; the whole source's if not given.
     *
     * @param height rows
     * @param width columns
     * @return this
     */
    public Builder size(long height, long width) {
      this.outHeight = Checks.positive(NAME, "height", height);
      this.outWidth = Checks.positive(NAME, "width", width);
      return this;
    }

    /**
     * Draws the window's corner at random.
     *
     * @param pixels how far the window may lie outside the source on every side, at least 0
     * @return this
     */
    public Builder randomCrop(long pixels) {
      this.padding = Checks.notNegative(NAME, "padding", pixels);
      this.random = true;
      return this;
    }

    /**
     * Mirrors every other image, at random.
     *
     * @return this
     */
    public Builder randomFlip() {
      this.flip = true;
      return this;
    }

    /**
     * Number of the random stream; 0 if not given.
     *
     * @param number different for every layer of a network
     * @return this
     */
    public Builder layer(int number) {
      this.layer = number;
      return this;
    }

    /**
     * Normalisation of values between 0 and 1; mean 0 and standard deviation 1 if not given.
     *
     * @param means one per channel
     * @param deviations one per channel, not 0
     * @return this
     */
    public Builder normalise(float[] means, float[] deviations) {
      Checks.notNull(NAME, "means", means);
      Checks.notNull(NAME, "deviations", deviations);
      if (means.length != channels || deviations.length != channels) {
        throw new IllegalArgumentException(
            NAME
                + ": "
                + means.length
                + " means and "
                + deviations.length
                + " deviations given, "
                + channels
                + " fit");
      }
      for (float deviation : deviations) {
        if (!(Math.abs(deviation) > 0)) {
          throw new IllegalArgumentException(
              NAME + ": a deviation is " + deviation + ", more than 0 fits");
        }
      }
      this.mean = means.clone();
      this.std = deviations.clone();
      return this;
    }

    /**
     * Makes the operation.
     *
     * @return the operation
     */
    public ImageBatch build() {
      return new ImageBatch(this);
    }
  }

  /**
   * Describes a batch of images.
   *
   * @param batch images, 0 allowed
   * @param inHeight rows of the source
   * @param inWidth columns of the source
   * @param channels 1 to 4
   * @return a builder
   */
  public static Builder builder(long batch, long inHeight, long inWidth, long channels) {
    return new Builder(batch, inHeight, inWidth, channels);
  }

  /**
   * Makes the activations.
   *
   * @param stream where it runs
   * @param step the training step; null only if nothing is random
   * @param src (batch, inHeight, inWidth, channels), U8
   * @param dst (batch, height, width, channels), overwritten
   */
  public void forward(Stream stream, StepState step, Tensor src, Tensor dst) {
    long handle = Checks.stream(FORWARD, stream);
    long stepAddress = StepState.address(FORWARD, step, stream, drawsRandom);
    long srcAddress =
        Checks.tensor(FORWARD, "src", src, stream, DType.U8, batch, inHeight, inWidth, channels);
    long dstAddress =
        Checks.tensor(FORWARD, "dst", dst, stream, dtype, batch, outHeight, outWidth, channels);
    Checks.disjoint(FORWARD, "dst", dst, "src", src);
    Status.check(
        Fusewire.fw_image_batch_forward(handle, problem, stepAddress, srcAddress, dstAddress));
    Checks.reachable(step, src, dst, null);
  }
}
