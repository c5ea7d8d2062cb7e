// SPDX-License-Identifier: Apache-2.0
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.tensorflow.Operand;
import org.tensorflow.op.Ops;
import org.tensorflow.types.TBfloat16;
import org.tensorflow.types.TFloat16;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TFloat64;
import org.tensorflow.types.TInt64;
import org.tensorflow.types.TString;

/**
 * Writes the TensorFlow checkpoints beside this file, with TensorFlow 2.16.2: not part of the build, run with the jars of
 * org.tensorflow:tensorflow-core-api:1.0.0 and tensorflow-core-native:1.0.0:linux-x86_64 and their dependencies:
 * {@code java -cp 'lib/*' TensorFlowReference.java .} Values as in reference.py.
 */
public final class TensorFlowReference {
  private static final Ops TF = Ops.create();

  private static Operand<TFloat32> values(int... shape) {
    int count = 1;
    long[] extents = new long[shape.length];
    for (int i = 0; i < shape.length; i++) {
      count *= shape[i];
      extents[i] = shape[i];
    }
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (i - 3) / 4f;
    }
    return TF.reshape(TF.constant(numbers), TF.constant(extents));
  }

  private static Operand<TString> text(String text) {
    return TF.constantOf(TString.scalarOf(text));
  }

  private static Operand<TString> texts(List<String> texts) {
    return TF.constantOf(TString.vectorOf(texts.toArray(String[]::new)));
  }

  private static void save(Path prefix, List<String> names, List<String> slices, List<Operand<?>> tensors) {
    TF.train.save(
        text(prefix.toString()),
        texts(names),
        texts(slices),
        tensors);
  }

  public static void main(String[] arguments) {
    Path folder = Path.of(arguments[0]).toAbsolutePath();
    List<String> names = new ArrayList<>();
    List<Operand<?>> tensors = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      names.add("efficientnet-b0/blocks_" + i + "/conv2d/kernel");
      tensors.add(values(1, 1, 2, 3));
    }
    names.addAll(List.of("half", "bfloat", "double", "global_step", "text", "empty"));
    tensors.add(TF.dtypes.cast(values(2, 3), TFloat16.class));
    tensors.add(TF.dtypes.cast(values(2, 3), TBfloat16.class));
    tensors.add(TF.dtypes.cast(values(2, 3), TFloat64.class));
    tensors.add(TF.dtypes.cast(TF.constant(7), TInt64.class));
    tensors.add(text("a text"));
    tensors.add(values(0, 3));
    save(folder.resolve("tensorflow.ckpt"), names, names.stream().map(name -> "").toList(), tensors);

    save(folder.resolve("part-a"), List.of("a"), List.of(""), List.of(values(2, 3)));
    save(folder.resolve("part-b"), List.of("b"), List.of(""), List.of(values(5)));
    TF.train.mergeV2Checkpoints(
        texts(List.of(folder.resolve("part-a").toString(), folder.resolve("part-b").toString())),
        text(folder.resolve("tensorflow-shards.ckpt").toString()));

    save(folder.resolve("tensorflow-slices.ckpt"), List.of("sliced"), List.of("4 3 0,2:-"), List.of(values(2, 3)));
  }
}
