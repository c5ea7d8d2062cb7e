// SPDX-License-Identifier: Apache-2.0
package io.fusewire.bench.layers;

import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Libtorch's calls of a contest, without gradients of their own. */
final class LibtorchSide {
  private static final long SEED = 1;

  private final Contest contest;

  LibtorchSide(Contest contest) {
    this.contest = contest;
  }

  /** Makes what is drawn next the same in every run. */
  static void seed() {
    torch.manual_seed(SEED);
  }

  void call(int calls, int places) {
    for (int i = 0; i < calls; i++) {
      try (PointerScope results = new PointerScope();
          AutoGradMode off = new AutoGradMode(false)) {
        contest.theirs().at(i % places);
      }
    }
  }

  /** Calls once, and compares our results at place 0 with what comes out. */
  Difference compare(List<Result> ours) {
    Difference worst = Difference.NONE;
    try (PointerScope scope = new PointerScope();
        AutoGradMode off = new AutoGradMode(false)) {
      Object[] expected = contest.theirs().at(0);
      if (expected.length != ours.size()) {
        throw new IllegalStateException(
            expected.length + " results of libtorch, " + ours.size() + " of ours");
      }
      for (int i = 0; i < expected.length; i++) {
        Tensor wide = ((Tensor) expected[i]).to(torch.ScalarType.Double).reshape(-1);
        Tensor error = part(ours.get(i)).to(torch.ScalarType.Double).reshape(-1).sub(wide);
        worst =
            worst.or(
                new Difference(
                    error.norm().item_double() / wide.norm().item_double(),
                    error.abs().max().item_double() / wide.abs().max().item_double()));
      }
    }
    return worst;
  }

  private static Tensor part(Result result) {
    Tensor all = result.tensor().torch(0);
    return switch (result.part()) {
      case ALL -> all;
      case FIRST_ROW -> all.select(0, 0);
      case SUMS -> Torch.sum(all, 1);
    };
  }
}
