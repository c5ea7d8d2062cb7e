// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bundle;

import io.fusewire.graph.ExpansionPolicy;
import io.fusewire.graph.InferenceNetwork;
import io.fusewire.model.EfficientNet;
import io.fusewire.model.Parameter;
import io.fusewire.model.Scaling;
import io.fusewire.ops.DType;
import io.fusewire.ops.Stream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Whole networks: three training steps with dropout and drop-connect, and inference. */
final class NetworkCases {
  private static final int STEPS = 3;
  private static final List<DType> DTYPES = List.of(DType.F32, DType.BF16, DType.F16);

  private NetworkCases() {}

  /** Every kind of layer with few channels. */
  static EfficientNet tiny() {
    return EfficientNet.builder("tiny")
        .scaling(new Scaling(0.25, 0.4))
        .resolution(48)
        .classes(6)
        .dropout(0.3)
        .samples(2)
        .dropConnect(0.2)
        .build();
  }

  static EfficientNet b0() {
    return EfficientNet.b0()
        .resolution(64)
        .classes(12)
        .dropout(0.2)
        .samples(4)
        .dropConnect(0.2)
        .build();
  }

  static List<NetworkCase> all() {
    List<NetworkCase> all = new ArrayList<>();
    for (EfficientNet net : List.of(tiny(), b0())) {
      for (DType dtype : DTYPES) {
        all.add(new NetworkCase(net, dtype, "training", stream -> train(stream, net, dtype)));
        for (ExpansionPolicy policy : List.of(ExpansionPolicy.STORED, ExpansionPolicy.ON_CHIP)) {
          String name = policy == ExpansionPolicy.STORED ? "stored" : "on-chip";
          all.add(
              new NetworkCase(
                  net, dtype, "inference " + name, stream -> infer(stream, net, dtype, policy)));
        }
      }
    }
    return all;
  }

  private static Map<String, float[]> train(Stream stream, EfficientNet net, DType dtype) {
    Map<String, float[]> results = new LinkedHashMap<>();
    try (NetworkSession session = new NetworkSession(stream, net, dtype)) {
      for (int step = 0; step < STEPS; step++) {
        session.run(step);
        results.put("losses/step" + step, session.losses());
        if (step == 0) {
          for (Parameter parameter : net.parameters().all()) {
            if (parameter.kind().trained()) {
              results.put("gradient/" + parameter.name(), session.gradient(parameter));
            }
          }
        }
        session.update();
      }
      results.put("changes/all", session.changes());
    }
    return results;
  }

  private static Map<String, float[]> infer(
      Stream stream, EfficientNet net, DType dtype, ExpansionPolicy policy) {
    try (InferenceNetwork network =
        InferenceNetwork.open(stream, net, NetworkSession.BATCH, dtype, null, null, policy)) {
      network.load(net.parameters().initialValues(1));
      network.images().copyFrom(stream, NetworkSession.images(net));
      network.run();
      Map<String, float[]> results = new LinkedHashMap<>();
      results.put("logits/all", network.logits().toFloats(stream));
      results.put("probabilities/all", network.probabilities().toFloats(stream));
      return results;
    }
  }

  private interface Run {
    Map<String, float[]> on(Stream stream);
  }

  /** One of them. What is stored in 16 bits is compared with the same network in F32. */
  record NetworkCase(EfficientNet net, DType dtype, String what, Run run) implements GoldenCase {
    private String name(DType type) {
      String stored = type.name().toLowerCase(Locale.ROOT);
      return "%s@%d/%s/%s".formatted(net.name(), net.resolution(), stored, what);
    }

    @Override
    public String name() {
      return name(dtype);
    }

    @Override
    public String reference() {
      return name(DType.F32);
    }

    @Override
    public boolean tiny() {
      return net.name().equals("tiny");
    }

    @Override
    public Closeness closeness() {
      return Closeness.network();
    }

    @Override
    public Map<String, float[]> run(Stream stream) {
      return run.on(stream);
    }
  }
}
