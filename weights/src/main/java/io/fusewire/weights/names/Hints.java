// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import io.fusewire.io.TensorFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What a file and its surroundings say about the weights beyond keys and shapes.
 *
 * @param texts names to look for a model's name in, the surest first, in lower case
 * @param config timm's configuration beside the file
 */
record Hints(List<Text> texts, Optional<TimmConfig> config) {
  private static final List<String> KEYS = List.of("source", "architecture", "arch", "model_name");

  /** A name and where it stands. */
  record Text(String value, String where) {}

  /** Nothing: for when the user has said all. */
  static Hints none() {
    return new Hints(List.of(), Optional.empty());
  }

  static Hints of(TensorFile file) throws IOException {
    List<Text> texts = new ArrayList<>();
    Map<String, String> metadata = file.metadata();
    for (String key : KEYS) {
      if (metadata.containsKey(key)) {
        texts.add(text(metadata.get(key), "its metadata"));
      }
    }
    Optional<TimmConfig> config = TimmConfig.beside(file.file());
    config.ifPresent(c -> texts.add(text("timm:" + c.architecture(), "the config.json beside it")));
    Path path = file.file().toAbsolutePath();
    texts.add(text(String.valueOf(path.getFileName()), "its name"));
    Path folder = path.getParent();
    if (folder != null && folder.getFileName() != null) {
      texts.add(text(folder.getFileName().toString(), "its folder's name"));
    }
    return new Hints(List.copyOf(texts), config);
  }

  /** timm's configuration, if it is one of this model. */
  Optional<TimmConfig> config(Optional<Recipe> recipe) {
    return config.filter(
        c ->
            recipe.filter(r -> c.architecture().split("\\.", 2)[0].equals(r.family())).isPresent());
  }

  private static Text text(String value, String where) {
    return new Text(value.toLowerCase(Locale.ROOT), where);
  }
}
