// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "api/call.h"

using namespace fusewire;

namespace {

fw_status check_optimizer(const char* operation, const fw_optimizer* optimizer, int64_t parameters, int64_t blocks) {
  FW_TRY(check_not_null(operation, "optimizer", optimizer));
  FW_TRY(check_range(operation, "kind", optimizer->kind, FW_SGD, FW_ADAMW));
  FW_TRY(check_range(operation, "nesterov", optimizer->nesterov, 0, 1));
  FW_TRY(check_range(operation, "dynamic_loss_scale", optimizer->dynamic_loss_scale, 0, 1));
  if (optimizer->kind != FW_SGD) {
    FW_TRY(check_fraction(operation, "decay", optimizer->decay, 0.0f, 1.0f));
    FW_TRY(check_fraction(operation, "epsilon", optimizer->epsilon, 0.0f, INFINITY));
  }
  if (std::isnan(optimizer->clip_norm)) {
    return fail(FW_INVALID_ARGUMENT, "%s: clip_norm is nan; a norm, or 0 for none, fits", operation);
  }
  if (optimizer->dynamic_loss_scale == 1) {
    FW_TRY(check_fraction(operation, "growth_factor", optimizer->growth_factor, 1.0f, 65536.0f));
    if (!(optimizer->backoff_factor > 0.0f && optimizer->backoff_factor <= 1.0f)) {
      return fail(FW_INVALID_ARGUMENT, "%s: backoff_factor is %g; above 0, at most 1 fits", operation,
                  double(optimizer->backoff_factor));
    }
    FW_TRY(check_range(operation, "growth_interval", optimizer->growth_interval, 1, INT32_MAX));
  }
  FW_TRY(check_sizes(operation, 0, {{"parameters", parameters}, {"blocks", blocks}}, sizeof(fw_parameter)));
  if (parameters == 0 && blocks > 0) {
    return fail(FW_INVALID_ARGUMENT, "%s: %lld blocks without parameters", operation, static_cast<long long>(blocks));
  }
  return FW_OK;
}

}  // namespace

fw_status fw_optimizer_workspace(fw_stream stream, int64_t blocks, int64_t* bytes) {
  constexpr const char* kOperation = "optimizer workspace";
  FW_TRY(check_sizes(kOperation, 0, {{"blocks", blocks}}, 8));
  return query(stream, kOperation, bytes,
               [&](const Operations& operations) { return operations.optimizer_workspace(blocks); });
}

fw_status fw_optimizer_gradients(fw_stream stream, const fw_optimizer* optimizer, fw_address table, int64_t parameters,
                                 int64_t blocks, fw_address loss_scale, fw_address workspace, int64_t workspace_bytes) {
  constexpr const char* kOperation = "optimizer gradients";
  FW_TRY(check_optimizer(kOperation, optimizer, parameters, blocks));
  FW_TRY(check_addresses(kOperation, {{"table", table, 8, blocks == 0}, {"loss_scale", loss_scale, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    FW_TRY(check_workspace(kOperation, workspace, workspace_bytes, operations.optimizer_workspace(blocks)));
    return operations.optimizer_gradients(launcher, *optimizer, table, parameters, blocks, loss_scale, workspace);
  });
}

fw_status fw_optimizer_step(fw_stream stream, const fw_optimizer* optimizer, fw_address table, int64_t parameters,
                            int64_t blocks, fw_address step, fw_address loss_scale) {
  constexpr const char* kOperation = "optimizer step";
  FW_TRY(check_optimizer(kOperation, optimizer, parameters, blocks));
  FW_TRY(check_addresses(kOperation,
                         {{"table", table, 8, blocks == 0}, {"step", step, 8}, {"loss_scale", loss_scale, 4}}));
  return call(stream, kOperation, [&](const Operations& operations, const Launcher& launcher) {
    return operations.optimizer_step(launcher, *optimizer, table, parameters, blocks, step, loss_scale);
  });
}
