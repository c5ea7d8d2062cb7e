// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds the dictionary of weights in what was saved: the whole, or an entry of a checkpoint.
 * Averaged weights go before others, in the order in which timm looks for them.
 */
final class StateDict {
  private static final List<String> USUAL =
      List.of("state_dict_ema", "model_ema", "state_dict", "model", "params", "net", "module");

  private static final int MAX_DEPTH = 8;
  private static final int MAX_TEXT = 1000;

  private final Path file;
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private Map<String, TorchObjects.Tensor> tensors;

  private StateDict(Path file) {
    this.file = file;
  }

  static StateDict find(Path file, Object saved) throws FileFormatException {
    StateDict found = new StateDict(file);
    found.search(saved, "", 0);
    return found;
  }

  /** The weights, in their order. */
  Map<String, TorchObjects.Tensor> tensors() {
    return tensors;
  }

  /** Texts and numbers beside the weights, and {@code entry}, the entry they were found in. */
  Map<String, String> metadata() {
    return metadata;
  }

  private void search(Object saved, String path, int depth) throws FileFormatException {
    if (!(saved instanceof Map<?, ?> map)) {
      throw new FileFormatException(
          file, "holds no dictionary of tensors; save with torch.save(model.state_dict(), ...)");
    }
    remember(map);
    String chosen = null;
    for (String usual : USUAL) {
      if (chosen == null && map.get(usual) instanceof Map<?, ?> inner && hasTensors(inner)) {
        chosen = usual;
      }
    }
    if (chosen == null && hasTensors(map)) {
      tensors = tensorsOf(map);
      if (!path.isEmpty()) {
        metadata.put("entry", path);
      }
      return;
    }
    if (chosen == null) {
      chosen = only(map);
    }
    if (depth == MAX_DEPTH) {
      throw new FileFormatException(
          file, "has dictionaries nested more than %d deep".formatted(MAX_DEPTH));
    }
    search(map.get(chosen), path.isEmpty() ? chosen : path + "." + chosen, depth + 1);
  }

  /** The one entry that can hold the weights. */
  private String only(Map<?, ?> map) throws FileFormatException {
    List<String> full = new ArrayList<>();
    List<String> others = new ArrayList<>();
    map.forEach(
        (key, value) -> {
          if (key instanceof String name && value instanceof Map<?, ?> inner && !inner.isEmpty()) {
            (hasTensors(inner) ? full : others).add(name);
          }
        });
    List<String> candidates = full.isEmpty() ? others : full;
    if (candidates.size() == 1) {
      return candidates.get(0);
    }
    if (candidates.isEmpty()) {
      throw new FileFormatException(file, "holds no tensors by name");
    }
    throw new FileFormatException(
        file,
        "has %d dictionaries that could be the weights (%s); save one of them alone"
            .formatted(
                candidates.size(),
                Elements.shorten(
                    String.join(", ", candidates.subList(0, Math.min(8, candidates.size()))))));
  }

  private void remember(Map<?, ?> map) {
    map.forEach(
        (key, value) -> {
          if (key instanceof String name
              && (value instanceof String || value instanceof Number || value instanceof Boolean)) {
            String text = value.toString();
            if (text.length() <= MAX_TEXT && name.length() <= MAX_TEXT) {
              metadata.putIfAbsent(name, text);
            }
          }
        });
  }

  private static boolean hasTensors(Map<?, ?> map) {
    return map.entrySet().stream()
        .anyMatch(e -> e.getKey() instanceof String && e.getValue() instanceof TorchObjects.Tensor);
  }

  private static Map<String, TorchObjects.Tensor> tensorsOf(Map<?, ?> map) {
    Map<String, TorchObjects.Tensor> result = new LinkedHashMap<>();
    map.forEach(
        (key, value) -> {
          if (key instanceof String name && value instanceof TorchObjects.Tensor tensor) {
            result.put(name, tensor);
          }
        });
    return result;
  }
}
