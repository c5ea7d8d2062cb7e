// SPDX-License-Identifier: Apache-2.0
package io.fusewire.ops;

import io.fusewire.binding.DeviceInfo;
import io.fusewire.binding.Fusewire;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A processor that operations run on, with its memory. There is one object per device, so that
 * {@code ==} compares them.
 */
public final class Device {
  /** Kind of a device. */
  public enum Kind {
    /** The host's processor; its streams finish every operation before they return. */
    CPU,
    /** An NVIDIA GPU. */
    CUDA,
    /**
     * A GPU emulated on the CPU to find missing barriers and stray accesses; only in test builds.
     */
    CHECKED,
    /** The host's processor with every byte counted, see {@link Meter}; slow, for measuring. */
    METERED
  }

  private final int index;
  private final Kind kind;
  private final String name;
  private final String description;
  private final String level;
  private final int computeCapability;
  private final int processors;
  private final long totalMemory;

  private Device(int index, int cudaIndex, DeviceInfo info) {
    this.index = index;
    this.kind = kindOf(info.kind());
    this.name =
        switch (kind) {
          case CPU -> "cpu";
          case CUDA -> "cuda:" + cudaIndex;
          case CHECKED -> "checked";
          case METERED -> "metered";
        };
    this.description = text(info, false);
    this.level = text(info, true);
    this.computeCapability = info.compute_capability();
    this.processors = info.processors();
    this.totalMemory = info.total_memory();
  }

  private static Kind kindOf(int code) {
    return switch (code) {
      case Fusewire.FW_CPU -> Kind.CPU;
      case Fusewire.FW_CUDA -> Kind.CUDA;
      case Fusewire.FW_CHECKED -> Kind.CHECKED;
      case Fusewire.FW_METERED -> Kind.METERED;
      default ->
          throw new FusewireException(
              "The native library knows a device kind " + code + " that Java does not");
    };
  }

  private static String text(DeviceInfo info, boolean level) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < (level ? 64 : 256); i++) {
      byte c = level ? info.level(i) : info.name(i);
      if (c == 0) {
        break;
      }
      text.append((char) (c & 0xff));
    }
    return text.toString();
  }

  /** The devices, found once. */
  private static final class Devices {
    static final List<Device> FOUND = find();
    static final List<Device> ALL =
        FOUND.stream().filter(d -> d.kind != Kind.METERED).collect(Collectors.toUnmodifiableList());

    private static List<Device> find() {
      List<Device> devices = new ArrayList<>();
      DeviceInfo info = Struct.allocate(DeviceInfo.class, DeviceInfo::new);
      int cuda = 0;
      for (int i = 0; i < Fusewire.fw_device_count(); i++) {
        Status.check(Fusewire.fw_device_info_get(i, info));
        devices.add(new Device(i, cuda, info));
        if (info.kind() == Fusewire.FW_CUDA) {
          cuda++;
        }
      }
      return List.copyOf(devices);
    }
  }

  /**
   * All devices: the CPU first, then CUDA devices, then the checked device where it is built. The
   * metered device, which is no faster place to compute, is not among them.
   *
   * @return the devices, never empty
   * @throws DeviceUnavailableException if the native library is missing or does not load
   */
  public static List<Device> all() {
    NativeLibrary.load();
    return Devices.ALL;
  }

  /**
   * The host's processor.
   *
   * @return the CPU device
   */
  public static Device cpu() {
    return all().get(0);
  }

  /**
   * The device that counts the bytes its operations move, for {@link Meter}.
   *
   * @return the metered device
   * @throws UnsupportedException if the native library was built without it
   */
  public static Device metered() {
    NativeLibrary.load();
    return Devices.FOUND.stream()
        .filter(d -> d.kind == Kind.METERED)
        .findFirst()
        .orElseThrow(
            () ->
                new UnsupportedException(
                    "The native library has no metered device: it was built without"
                        + " FUSEWIRE_METERED or by another compiler than g++ ("
                        + libraryBuildInfo()
                        + ")"));
  }

  /**
   * The fastest device: the first CUDA device, or the CPU where there is none.
   *
   * @return a device
   */
  public static Device best() {
    return all().stream().filter(d -> d.kind == Kind.CUDA).findFirst().orElseGet(Device::cpu);
  }

  /**
   * A device by name.
   *
   * @param name {@code cpu}, {@code cuda} (the first CUDA device), {@code cuda:N}, {@code checked}
   *     or {@code best}
   * @return the device
   * @throws IllegalArgumentException if there is no such device; the message lists those there are,
   *     and for a CUDA device says why none can be used
   */
  public static Device of(String name) {
    if (name == null) {
      throw new IllegalArgumentException("device name is null");
    }
    if (name.equals("best")) {
      return best();
    }
    String wanted = name.equals("cuda") ? "cuda:0" : name;
    for (Device device : all()) {
      if (device.name.equals(wanted)) {
        return device;
      }
    }
    String there = all().stream().map(Device::name).collect(Collectors.joining(", "));
    String why = wanted.startsWith("cuda") ? cudaUnavailableReason() : "";
    throw new IllegalArgumentException(
        "No device \""
            + name
            + "\"; there are: "
            + there
            + (why.isEmpty() ? "" : " (" + why + ")"));
  }

  /**
   * Why no CUDA device can be used here, with the one thing to do about it.
   *
   * @return a sentence, or "" where a CUDA device can be used
   */
  public static String cudaUnavailableReason() {
    NativeLibrary.load();
    return Fusewire.fw_cuda_unavailable_reason().getString();
  }

  /**
   * The CUDA version that the NVIDIA driver supports.
   *
   * @return major*1000+minor*10, 0 without a driver
   */
  public static int cudaDriverVersion() {
    NativeLibrary.load();
    return Fusewire.fw_cuda_driver_version();
  }

  /**
   * The native library's version.
   *
   * @return such as 0.1.0
   */
  public static String libraryVersion() {
    NativeLibrary.load();
    return Fusewire.fw_version().getString();
  }

  /**
   * How the native library was built: compilers, CPU levels, GPU architectures or why there are
   * none.
   *
   * @return one line
   */
  public static String libraryBuildInfo() {
    NativeLibrary.load();
    return Fusewire.fw_build_info().getString();
  }

  /**
   * Checksum of the native library's file, which tells builds of one version apart. The first call
   * reads the file.
   *
   * @return eight hexadecimal digits; "" if the file cannot be read
   */
  public static String libraryChecksum() {
    return NativeLibrary.checksum();
  }

  int index() {
    return index;
  }

  /**
   * What kind of device this is.
   *
   * @return the kind
   */
  public Kind kind() {
    return kind;
  }

  /**
   * The name that {@link #of} takes.
   *
   * @return such as {@code cpu} or {@code cuda:0}
   */
  public String name() {
    return name;
  }

  /**
   * What the hardware calls itself.
   *
   * @return such as "AMD EPYC 9R14"
   */
  public String description() {
    return description;
  }

  /**
   * Instruction set in use.
   *
   * @return such as x86-64-v4 or sm_90
   */
  public String level() {
    return level;
  }

  /**
   * CUDA compute capability.
   *
   * @return major*10+minor, 0 on a CPU
   */
  public int computeCapability() {
    return computeCapability;
  }

  /**
   * Number of cores, or of streaming multiprocessors.
   *
   * @return at least 1
   */
  public int processors() {
    return processors;
  }

  /**
   * Size of the device's memory.
   *
   * @return bytes
   */
  public long totalMemory() {
    return totalMemory;
  }

  /**
   * Memory of the device that is free now.
   *
   * @return bytes
   */
  public long freeMemory() {
    DeviceInfo info = Struct.allocate(DeviceInfo.class, DeviceInfo::new);
    Status.check(Fusewire.fw_device_info_get(index, info));
    return info.free_memory();
  }

  /**
   * Bytes of this device's memory that tensors own now.
   *
   * @return bytes
   */
  public long liveBytes() {
    return live()[0];
  }

  /**
   * Number of tensors that own memory of this device now.
   *
   * @return a count
   */
  public long liveAllocations() {
    return live()[1];
  }

  /**
   * How many tensors have been given memory of this device so far, closed or not. It stays as it is
   * while operations and graphs run.
   *
   * @return a count
   */
  public long allocationsMade() {
    long[] count = new long[1];
    Status.check(Fusewire.fw_memory_allocations(index, count));
    return count[0];
  }

  private long[] live() {
    long[] bytes = new long[1];
    long[] allocations = new long[1];
    Status.check(Fusewire.fw_memory_live(index, bytes, allocations));
    return new long[] {bytes[0], allocations[0]};
  }

  @Override
  public String toString() {
    return name;
  }
}
