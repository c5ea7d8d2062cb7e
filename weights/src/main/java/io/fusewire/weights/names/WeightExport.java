// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.SafeTensorsWriter;
import io.fusewire.model.Parameter;
import io.fusewire.train.ModelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes models as safetensors under the names of timm or torchvision, with BatchNorm's counters,
 * so that {@code load_state_dict} accepts them strictly. Class names and preprocessing go into the
 * metadata.
 */
public final class WeightExport {
  /** The libraries that can be written for. */
  public static final Set<Library> TARGETS =
      Set.of(Library.FUSEWIRE, Library.TIMM, Library.TORCHVISION);

  private WeightExport() {}

  /**
   * Writes a model. For timm, a file that is named {@code model.safetensors} gets a {@code
   * config.json} beside it, so that timm takes the folder.
   *
   * @param model the model
   * @param to one of {@link #TARGETS}
   * @param file the file to replace, whole or not at all
   * @param force whether to write a model that the library would compute otherwise, as far as there
   *     are names for its tensors
   * @return what was written
   * @throws ExportRefusedException if the library would compute other numbers; nothing is written
   * @throws IllegalArgumentException if that library cannot be written for
   * @throws IOException if it cannot be written
   */
  public static ExportedWeights write(ModelFile model, Library to, Path file, boolean force)
      throws IOException {
    if (!TARGETS.contains(to)) {
      throw new IllegalArgumentException(
          "weights are written for timm, torchvision or fusewire, not for " + to.id());
    }
    if (to == Library.FUSEWIRE) {
      model.write(file);
      return new ExportedWeights(to, model.network().name(), tensors(model), List.of());
    }
    Expression expression = Expression.of(model.network(), to);
    if (!expression.problems().isEmpty() && !(force && expression.named())) {
      throw new ExportRefusedException(
          "this network cannot be expressed in " + to.title(),
          expression.problems(),
          expression.named());
    }
    Map<String, String> metadata = new LinkedHashMap<>(model.metadata());
    metadata.put("architecture", expression.model());
    metadata.put("source", to.id() + ":" + expression.model());
    ModelFile described =
        new ModelFile(
            model.network(), model.classNames(), model.preprocessing(), model.weights(), metadata);
    List<String> remarks = new ArrayList<>(expression.remarks());
    if (to == Library.TIMM) {
      described.write(file); // Fusewire's names are timm's
      remarks.addAll(TimmFolder.describe(file, described, expression));
    } else {
      write(described, expression.names(), file);
    }
    return new ExportedWeights(to, expression.model(), tensors(model), remarks);
  }

  private static void write(ModelFile model, Map<String, SourceName> names, Path file)
      throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    model.describe(writer::metadata);
    writer.metadata("format", "pt");
    for (Parameter parameter : model.network().parameters().all()) {
      int from = Math.toIntExact(parameter.offset());
      float[] part =
          Arrays.copyOfRange(model.weights(), from, from + Math.toIntExact(parameter.count()));
      String name = names.get(parameter.name()).name();
      writer.add(name, parameter.shape(), parameter.toFileLayout(part));
      if (parameter.kind() == Parameter.Kind.RUNNING_MEAN) {
        String counter = name.replace("running_mean", "num_batches_tracked");
        writer.add(counter, List.<Long>of(), new long[] {0});
      }
    }
    writer.write(file);
  }

  /** The network's tensors and BatchNorm's counters. */
  private static int tensors(ModelFile model) {
    List<Parameter> all = model.network().parameters().all();
    long norms = all.stream().filter(p -> p.kind() == Parameter.Kind.RUNNING_MEAN).count();
    return all.size() + Math.toIntExact(norms);
  }
}
