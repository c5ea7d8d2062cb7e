// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;

/**
 * A dense array in the memory of one {@link Device}: owned ({@link #allocate}), foreign ({@link
 * #view}) or part of another tensor ({@link #slice}). Rows are contiguous, the last axis varies
 * fastest; activations are NHWC.
 *
 * <p>A tensor that owns memory must be closed. One that is forgotten is freed when it has become
 * unreachable, with a warning on the logger {@code io.fusewire.ops}; {@code
 * -Dfusewire.traceAllocations=true} adds where it was allocated. Using a closed tensor, or a slice
 * of one, is an {@link IllegalStateException}. Do not close a tensor while another thread's
 * operation uses it.
 */
public final class Tensor implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final Device device;
  private final DType dtype;
  private final Shape shape;
  private final long address;
  private final Tensor root;
  private final Allocation allocation;
  private final Object keepAlive;
  private volatile boolean closed;

  private Tensor(
      Device device,
      DType dtype,
      Shape shape,
      long address,
      Tensor root,
      Allocation allocation,
      Object keepAlive) {
    this.device = device;
    this.dtype = dtype;
    this.shape = shape;
    this.address = address;
    this.root = root == null ? this : root;
    this.allocation = allocation;
    this.keepAlive = keepAlive;
    if (allocation != null) {
      CLEANER.register(this, allocation);
    }
  }

  /**
   * Allocates a tensor with undefined content.
   *
   * @param device where
   * @param dtype element type
   * @param shape sizes, the slowest axis first; none gives a scalar, a size of 0 an empty tensor
   * @return a new tensor, to be closed
   * @throws DeviceMemoryException if the device has too little free memory
   * @throws IllegalArgumentException if a size is negative or the bytes exceed 2^63-1
   */
  public static Tensor allocate(Device device, DType dtype, long... shape) {
    Checks.notNull("Tensor.allocate", "device", device);
    Shape sizes = Shape.of("Tensor.allocate", dtype, shape);
    Allocation allocation = new Allocation(device, sizes.elements() * dtype.bytes());
    return new Tensor(device, dtype, sizes, allocation.address(), null, allocation, null);
  }

  /**
   * Uses memory that something else owns, in place. Closing the view leaves that memory alone.
   *
   * @param device the device whose memory it is
   * @param dtype element type
   * @param address address in the device's memory (on the CPU a plain pointer), aligned to the
   *     element type; 16-byte alignment is faster
   * @param keepAlive the owner of the memory, kept reachable as long as the view or a slice of it
   *     is; may be null
   * @param shape sizes, the slowest axis first; the memory must be dense
   * @return a view
   * @throws IllegalArgumentException if the address is 0 or not aligned, or the shape is impossible
   */
  public static Tensor view(
      Device device, DType dtype, long address, Object keepAlive, long... shape) {
    Checks.notNull("Tensor.view", "device", device);
    Shape sizes = Shape.of("Tensor.view", dtype, shape);
    if (address == 0 && sizes.elements() > 0) {
      throw new IllegalArgumentException("Tensor.view: address is 0");
    }
    Checks.aligned("Tensor.view", dtype, address);
    return new Tensor(device, dtype, sizes, address, null, null, keepAlive);
  }

  /**
   * A part of this tensor's memory, seen with a type and shape of its own. The slice keeps this
   * tensor reachable, and is closed when this tensor is.
   *
   * @param byteOffset where the part starts, from this tensor's first byte; a multiple of the
   *     element size
   * @param dtype element type of the slice
   * @param shape sizes of the slice
   * @return the slice; closing it is not needed and frees nothing
   * @throws IllegalArgumentException if the part is not within this tensor or not aligned
   */
  public Tensor slice(long byteOffset, DType dtype, long... shape) {
    Shape sizes = Shape.of("Tensor.slice", dtype, shape);
    long bytes = sizes.elements() * dtype.bytes();
    if (byteOffset < 0 || byteOffset > bytes() || bytes > bytes() - byteOffset) {
      throw new IllegalArgumentException(
          "Tensor.slice: bytes "
              + byteOffset
              + " to "
              + byteOffset
              + "+"
              + bytes
              + " are not within the "
              + bytes()
              + " bytes of "
              + this);
    }
    Checks.aligned("Tensor.slice", dtype, address() + byteOffset);
    return new Tensor(device, dtype, sizes, address + byteOffset, root, null, null);
  }

  /**
   * The same memory with another shape.
   *
   * @param shape sizes with the same product
   * @return a slice of this tensor
   * @throws IllegalArgumentException if the product differs
   */
  public Tensor reshape(long... shape) {
    Shape sizes = Shape.of("Tensor.reshape", dtype, shape);
    if (sizes.elements() != elements()) {
      throw new IllegalArgumentException(
          "Tensor.reshape: " + sizes + " does not have the " + elements() + " elements of " + this);
    }
    return slice(0, dtype, shape);
  }

  /**
   * The device whose memory this is.
   *
   * @return the device
   */
  public Device device() {
    return device;
  }

  /**
   * Element type.
   *
   * @return the type
   */
  public DType dtype() {
    return dtype;
  }

  /**
   * Number of axes.
   *
   * @return 0 for a scalar
   */
  public int rank() {
    return shape.rank();
  }

  /**
   * Size of an axis.
   *
   * @param axis from 0, or from -1 backwards for the last ones
   * @return elements
   * @throws IndexOutOfBoundsException if there is no such axis
   */
  public long size(int axis) {
    return shape.size(axis);
  }

  /**
   * All sizes.
   *
   * @return a new array
   */
  public long[] shape() {
    return shape.toArray();
  }

  /**
   * Product of the sizes.
   *
   * @return elements
   */
  public long elements() {
    return shape.elements();
  }

  /**
   * Size in memory.
   *
   * @return bytes
   */
  public long bytes() {
    return elements() * dtype.bytes();
  }

  /**
   * Address of the first element in the device's memory.
   *
   * @return the address, never 0 unless the tensor is empty
   * @throws IllegalStateException if closed
   */
  public long address() {
    if (isClosed()) {
      throw new IllegalStateException(this + " is used after it was closed");
    }
    return address;
  }

  /**
   * Whether this tensor, or the one it is a slice of, is closed.
   *
   * @return true after {@link #close}
   */
  public boolean isClosed() {
    return closed || root.closed;
  }

  /** Frees the memory if this tensor owns it. Closing twice does nothing. */
  @Override
  public void close() {
    closed = true;
    if (allocation != null) {
      allocation.release();
    }
  }

  /**
   * Copies floats from the host, rounding to nearest even if this tensor is BF16 or F16.
   *
   * @param stream a stream of this tensor's device
   * @param source as many values as this tensor has elements
   * @return this
   */
  public Tensor copyFrom(Stream stream, float[] source) {
    HostCopy.FLOATS.from(this, stream, source);
    return this;
  }

  /**
   * Copies integers from the host into an I32 tensor.
   *
   * @param stream a stream of this tensor's device
   * @param source as many values as this tensor has elements
   * @return this
   */
  public Tensor copyFrom(Stream stream, int[] source) {
    HostCopy.INTS.from(this, stream, source);
    return this;
  }

  /**
   * Copies bytes from the host into a U8 tensor.
   *
   * @param stream a stream of this tensor's device
   * @param source as many values as this tensor has elements
   * @return this
   */
  public Tensor copyFrom(Stream stream, byte[] source) {
    HostCopy.BYTES.from(this, stream, source);
    return this;
  }

  /**
   * Copies raw bytes, in the host's byte order, from the host into a tensor of any type. The
   * buffer's position does not move. Direct buffers are copied without an intermediate.
   *
   * @param stream a stream of this tensor's device
   * @param source with {@link #bytes} bytes remaining
   * @return this
   */
  public Tensor copyFrom(Stream stream, ByteBuffer source) {
    HostCopy.RAW.from(this, stream, source);
    return this;
  }

  /**
   * Copies raw bytes, in the host's byte order, from pinned memory and does not wait for that: the
   * memory must not change before an {@link Event} that the stream records after this has been
   * reached.
   *
   * @param stream a stream of this tensor's device
   * @param source with as many bytes as this tensor
   * @return this
   */
  public Tensor copyFromAsync(Stream stream, PinnedMemory source) {
    HostCopy.fromPinned(this, stream, source);
    return this;
  }

  /**
   * Copies another tensor of the same device, type and number of elements.
   *
   * @param stream a stream of that device
   * @param source what to copy
   * @return this
   */
  public Tensor copyFrom(Stream stream, Tensor source) {
    DeviceCopy.copy(this, stream, source);
    return this;
  }

  /**
   * Copies to host floats, widening from BF16 or F16.
   *
   * @param stream a stream of this tensor's device; its earlier work is done first
   * @param destination as many values as this tensor has elements
   */
  public void copyTo(Stream stream, float[] destination) {
    HostCopy.FLOATS.to(this, stream, destination);
  }

  /**
   * Copies an I32 tensor to host integers.
   *
   * @param stream a stream of this tensor's device; its earlier work is done first
   * @param destination as many values as this tensor has elements
   */
  public void copyTo(Stream stream, int[] destination) {
    HostCopy.INTS.to(this, stream, destination);
  }

  /**
   * Copies a U8 tensor to host bytes.
   *
   * @param stream a stream of this tensor's device; its earlier work is done first
   * @param destination as many values as this tensor has elements
   */
  public void copyTo(Stream stream, byte[] destination) {
    HostCopy.BYTES.to(this, stream, destination);
  }

  /**
   * Copies raw bytes, in the host's byte order, to the host. The buffer's position does not move.
   *
   * @param stream a stream of this tensor's device; its earlier work is done first
   * @param destination with {@link #bytes} bytes remaining
   */
  public void copyTo(Stream stream, ByteBuffer destination) {
    HostCopy.RAW.to(this, stream, destination);
  }

  /**
   * The content as floats; see {@link #copyTo(Stream, float[])}.
   *
   * @param stream a stream of this tensor's device; its earlier work is done first
   * @return a new array
   * @throws IllegalArgumentException if this tensor has 2^31 elements or more, or is not floating
   */
  public float[] toFloats(Stream stream) {
    float[] values = new float[Checks.arrayLength("Tensor.toFloats", this)];
    copyTo(stream, values);
    return values;
  }

  /**
   * The content as integers; see {@link #copyTo(Stream, int[])}.
   *
   * @param stream a stream of this tensor's device; its earlier work is done first
   * @return a new array
   */
  public int[] toInts(Stream stream) {
    int[] values = new int[Checks.arrayLength("Tensor.toInts", this)];
    copyTo(stream, values);
    return values;
  }

  /**
   * Sets every byte.
   *
   * @param stream a stream of this tensor's device
   * @param value the byte; 0 makes all elements 0, 0xff all floating elements NaN
   * @return this
   */
  public Tensor fill(Stream stream, int value) {
    DeviceCopy.fill(this, stream, value);
    return this;
  }

  /** The tensor whose memory this is a part of; itself if it is no slice. */
  Tensor root() {
    return root;
  }

  /** The sizes, to be compared without a copy. */
  Shape sizes() {
    return shape;
  }

  @Override
  public String toString() {
    return dtype
        + shape.toString()
        + " on "
        + device
        + (isClosed() ? " (closed)" : keepAlive != null ? " (view)" : "");
  }
}
