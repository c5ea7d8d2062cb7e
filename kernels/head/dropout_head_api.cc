// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

using namespace fusewire;

namespace {

fw_status check_problem(const char* operation, const fw_dropout_head* problem) {
  constexpr int64_t kMostSamples = 4096;
  FW_TRY(check_not_null(operation, "problem", problem));
  FW_TRY(check_range(operation, "mode", problem->mode, FW_AVERAGE_LOSSES, FW_AVERAGE_LOGITS));
  FW_TRY(check_range(operation, "samples", problem->samples, 1, kMostSamples));
  FW_TRY(check_sizes(operation, 1, {{"channels", problem->channels}, {"classes", problem->classes}}));
  FW_TRY(check_range(operation, "classes", problem->classes, 1, INT32_MAX));
  FW_TRY(check_sizes(operation, 0, {{"batch", problem->batch}, {"channels", problem->channels}}));
  FW_TRY(check_sizes(operation, 0,
                     {{"batch", problem->batch}, {"classes", problem->classes}, {"samples", problem->samples}}));
  constexpr int64_t kMostElements = int64_t(1) << 34;  // four words for each of 2^32 counters
  if (problem->batch > kMostElements / problem->channels) {
    return fail(FW_INVALID_ARGUMENT, "%s: batch %lld with %lld channels has more than 2^34 random numbers", operation,
                static_cast<long long>(problem->batch), static_cast<long long>(problem->channels));
  }
  FW_TRY(check_fraction(operation, "dropout", problem->dropout, 0.0f, 1.0f));
  return check_fraction(operation, "label_smoothing", problem->label_smoothing, 0.0f, 1.0f);
}

}  // namespace

fw_status fw_dropout_head_workspace(fw_stream stream, const fw_dropout_head* problem, int64_t* bytes) {
  constexpr const char* kOperation = "dropout head workspace";
  FW_TRY(check_problem(kOperation, problem));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.dropout_head_workspace(*problem); });
}

fw_status fw_dropout_head_forward(fw_stream stream, const fw_dropout_head* problem, fw_address step, fw_address pooled,
                                  fw_address weights, fw_address bias, fw_address labels, fw_address losses,
                                  fw_address correct, fw_address diff_logits, fw_address workspace,
                                  int64_t workspace_bytes) {
  constexpr const char* kOperation = "dropout head forward";
  FW_TRY(check_problem(kOperation, problem));
  FW_TRY(check_addresses(kOperation,
                         {{"step", step, 8, problem->dropout == 0.0f}, {"weights", weights, 4}, {"bias", bias, 4}}));
  if (problem->batch > 0) {
    FW_TRY(check_addresses(kOperation, {{"pooled", pooled, 4},
                                        {"labels", labels, 4},
                                        {"losses", losses, 4},
                                        {"correct", correct, 4},
                                        {"diff_logits", diff_logits, 4}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.dropout_head_workspace(*problem)));
    return problem->batch == 0 ? FW_OK
                               : operations.dropout_head_forward(launcher, *problem, step, pooled, weights, bias,
                                                                 labels, losses, correct, diff_logits, workspace);
  });
}

fw_status fw_dropout_head_backward(fw_stream stream, const fw_dropout_head* problem, fw_address step,
                                   fw_address loss_scale, fw_address pooled, fw_address weights, fw_address diff_logits,
                                   fw_address diff_pooled, fw_address diff_weights, fw_address diff_bias,
                                   fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "dropout head backward";
  FW_TRY(check_problem(kOperation, problem));
  const bool empty = problem->batch == 0;
  FW_TRY(check_addresses(kOperation, {{"step", step, 8, problem->dropout == 0.0f},
                                      {"loss_scale", loss_scale, 4, true},
                                      {"pooled", pooled, 4, empty},
                                      {"weights", weights, 4},
                                      {"diff_logits", diff_logits, 4, empty},
                                      {"diff_pooled", diff_pooled, 4, empty},
                                      {"diff_weights", diff_weights, 4},
                                      {"diff_bias", diff_bias, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.dropout_head_workspace(*problem)));
    return operations.dropout_head_backward(launcher, *problem, step, loss_scale, pooled, weights, diff_logits,
                                            diff_pooled, diff_weights, diff_bias, workspace);
  });
}

fw_status fw_dropout_head_inference(fw_stream stream, const fw_dropout_head* problem, fw_address pooled,
                                    fw_address weights, fw_address bias, fw_address logits, fw_address probabilities,
                                    fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "dropout head inference";
  FW_TRY(check_problem(kOperation, problem));
  FW_TRY(check_addresses(kOperation,
                         {{"weights", weights, 4}, {"bias", bias, 4}, {"probabilities", probabilities, 4, true}}));
  if (problem->batch > 0) {
    FW_TRY(check_addresses(kOperation, {{"pooled", pooled, 4}, {"logits", logits, 4}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.dropout_head_workspace(*problem)));
    return problem->batch == 0 ? FW_OK
                               : operations.dropout_head_inference(launcher, *problem, pooled, weights, bias, logits,
                                                                   probabilities, workspace);
  });
}

fw_status fw_cross_entropy(fw_stream stream, const fw_dropout_head* problem, fw_address logits, fw_address labels,
                           fw_address losses, fw_address correct) {
  constexpr const char* kOperation = "cross entropy";
  FW_TRY(check_problem(kOperation, problem));
  if (problem->batch > 0) {
    FW_TRY(check_addresses(
        kOperation, {{"logits", logits, 4}, {"labels", labels, 4}, {"losses", losses, 4}, {"correct", correct, 4}}));
  }
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return problem->batch == 0 ? FW_OK : operations.cross_entropy(launcher, *problem, logits, labels, losses, correct);
  });
}
