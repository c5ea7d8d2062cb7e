// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.names;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Strips what training scripts put before PyTorch's names: the entry of a checkpoint that holds the
 * state dict, and the attributes of wrappers that hold the model.
 */
final class PyTorchKeys {
  /**
   * Where an averaged model stands beside the one that was trained, the average is what one
   * publishes, so it comes first.
   */
  private static final List<String> WRAPPERS =
      List.of(
          "state_dict_ema.",
          "model_ema.",
          "ema_state_dict.",
          "ema.",
          "state_dict.",
          "model_state_dict.",
          "model_state.",
          "model.",
          "module.",
          "_orig_mod.",
          "network.",
          "net.");

  private PyTorchKeys() {}

  static SourceKeys clean(Iterable<String> keys) {
    Map<String, String> names = new LinkedHashMap<>();
    keys.forEach(key -> names.put(key, key));
    List<String> remarks = new ArrayList<>();
    boolean stripped = true;
    while (stripped) {
      stripped = false;
      for (String wrapper : WRAPPERS) {
        if (names.keySet().stream().anyMatch(name -> name.startsWith(wrapper))) {
          strip(names, wrapper, remarks);
          stripped = true;
          break;
        }
      }
    }
    names.keySet().removeIf(name -> name.endsWith(".num_batches_tracked"));
    return new SourceKeys(names, remarks);
  }

  private static void strip(Map<String, String> names, String wrapper, List<String> remarks) {
    Map<String, String> inside = new LinkedHashMap<>();
    names.forEach(
        (name, key) -> {
          if (name.startsWith(wrapper)) {
            inside.put(name.substring(wrapper.length()), key);
          }
        });
    int outside = names.size() - inside.size();
    remarks.add(
        "read what is under '%s'%s"
            .formatted(
                wrapper.substring(0, wrapper.length() - 1),
                outside == 0 ? "" : ", not the " + outside + " tensors beside it"));
    names.clear();
    names.putAll(inside);
  }
}
