// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fusewire.io.SafeTensorsWriter;
import io.fusewire.io.TensorFile;
import io.fusewire.weights.WeightFiles;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Damaged files of every kind: opening and reading them works or throws an IOException, with memory
 * in proportion to the file. An ordinary run has some thousands of each kind, always the same;
 * {@code -Pfuzz} has {@code -Dfusewire.fuzz.mutations} of each, from {@code -Dfusewire.fuzz.seed}
 * on.
 */
class ReaderFuzzTest {
  private static final int MUTATIONS = Integer.getInteger("fusewire.fuzz.mutations", 3000);
  private static final long SEED = Long.getLong("fusewire.fuzz.seed", 1);

  /** The buffers of streams and libraries, for the few tensors of the samples. */
  private static final long MAX_ALLOCATED = 64 << 20;

  @TempDir Path folder;

  /** A reader, the samples that are damaged for it, and how. */
  enum Kind {
    SAFETENSORS("weights.safetensors"),
    PYTORCH("torch.pth", "torch-views.pth", "torch-checkpoint.pth", "torch-protocol4.pth"),
    PYTORCH_LEGACY("torch-legacy.pth", "torch-views-legacy.pth", "torch-checkpoint-legacy.pth"),
    NUMPY("numpy.npz", "numpy-compressed.npz"),
    KERAS_HDF5(
        "keras-weights.h5", "keras-model.h5", "keras3.weights.h5", "keras3-latest.weights.h5"),
    KERAS("keras3.keras"),
    TENSORFLOW("tensorflow.ckpt.index", "tensorflow-shards.ckpt.index"),
    ONNX("onnx.onnx");

    @SuppressWarnings("ImmutableEnumChecker") // List.of cannot be changed
    final List<String> samples;

    Kind(String... samples) {
      this.samples = List.of(samples);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void readsOrRefuses(Kind kind) throws IOException {
    List<byte[]> samples = new ArrayList<>();
    List<Map<String, byte[]>> archives = new ArrayList<>();
    for (String name : kind.samples) {
      samples.add(sample(name));
      if (kind == Kind.PYTORCH || kind == Kind.NUMPY || kind == Kind.KERAS) {
        archives.add(Mutations.entries(Samples.path(name)));
      }
    }
    Path file = folder.resolve(kind == Kind.TENSORFLOW ? "x.ckpt.index" : "x");
    if (kind == Kind.TENSORFLOW) {
      Path data = Samples.path("tensorflow.ckpt.data-00000-of-00001");
      Files.copy(data, folder.resolve("x.ckpt.data-00000-of-00001"));
      Files.copy(data, folder.resolve("x.ckpt.data-00000-of-00002"));
      Files.copy(data, folder.resolve("x.ckpt.data-00001-of-00002"));
    }
    int read = 0;
    for (int i = 0; i < MUTATIONS; i++) {
      long seed = SEED * 1_000_003L + i;
      Random random = new Random(seed);
      int chosen = random.nextInt(samples.size());
      byte[] sample = samples.get(chosen);
      byte[] other = samples.get(random.nextInt(samples.size()));
      boolean structured = random.nextInt(4) != 0;
      byte[] damaged =
          switch (kind) {
            case PYTORCH, NUMPY, KERAS ->
                structured
                    ? Mutations.zip(random, archives.get(chosen))
                    : Mutations.bytes(random, sample, other);
            case TENSORFLOW ->
                structured
                    ? Mutations.table(random, sample)
                    : Mutations.bytes(random, sample, other);
            default -> Mutations.bytes(random, sample, other);
          };
      replace(file, damaged);
      long before = allocated();
      try {
        read += readAll(file);
      } catch (RuntimeException | Error e) {
        throw new AssertionError("%s, seed %d: %s".formatted(kind, seed, e), e);
      }
      long used = allocated() - before;
      assertTrue(
          used < MAX_ALLOCATED + 4096L * damaged.length,
          () -> "%s, seed %d: %d bytes of memory".formatted(kind, seed, used));
    }
    // Damage that is always seen at the first byte would prove little.
    assertTrue(read > MUTATIONS / 100, "only " + read + " could be read");
    System.out.printf("%s: %d mutations, %d of which could be read%n", kind, MUTATIONS, read);
  }

  private static int readAll(Path file) {
    try (TensorFile opened = WeightFiles.open(file)) {
      for (String name : opened.tensors().keySet()) {
        opened.readFloats(name);
      }
      return 1;
    } catch (IOException e) {
      return 0;
    }
  }

  /** Not emptied first: a file system may then wait for its disk, a thousand times. */
  private static void replace(Path file, byte[] content) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(content), 0);
      channel.truncate(content.length);
    }
  }

  private byte[] sample(String name) throws IOException {
    if (!name.endsWith(".safetensors")) {
      return Files.readAllBytes(Samples.path(name));
    }
    Path file = folder.resolve(name);
    new SafeTensorsWriter()
        .add("conv.weight", List.of(4, 3), new float[12])
        .add("steps", List.of(), new long[] {7})
        .write(file);
    return Files.readAllBytes(file);
  }

  /** Bytes that this thread has allocated so far. */
  private static long allocated() {
    return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean())
        .getCurrentThreadAllocatedBytes();
  }
}
