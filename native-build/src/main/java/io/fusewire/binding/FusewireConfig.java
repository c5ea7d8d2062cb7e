// SPDX-License-Identifier: Apache-2.0
package io.fusewire.binding;

import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * Tells JavaCPP how to bind the headers of the C API: handles and device addresses become {@code
 * long}s, enumerators {@code int} constants, and the problem structs persistent classes, so that no
 * call allocates anything in Java.
 */
@Properties(
    value =
        @Platform(
            cinclude = {
              "fusewire/fusewire.h",
              "fusewire/fused.h",
              "fusewire/inference.h",
              "fusewire/meter.h",
              "fusewire/faults.h"
            },
            link = "fusewire"),
    target = "io.fusewire.binding",
    global = "io.fusewire.binding.Fusewire")
public class FusewireConfig implements InfoMapper {
  private static final String[] STRUCTS = {
    "fw_device_info", "DeviceInfo",
    "fw_step", "Step",
    "fw_loss_scale", "LossScaleState",
    "fw_conv", "ConvProblem",
    "fw_pointwise", "PointwiseProblem",
    "fw_batchnorm", "BatchNormProblem",
    "fw_squeeze_excite", "SqueezeExciteProblem",
    "fw_residual", "ResidualProblem",
    "fw_mean_pool", "MeanPoolProblem",
    "fw_dropout_head", "DropoutHeadProblem",
    "fw_parameter", "Parameter",
    "fw_optimizer", "OptimizerProblem",
    "fw_image_batch", "ImageBatchProblem",
    "fw_traffic", "MeterTraffic",
    "fw_fused_pointwise", "FusedPointwiseProblem",
    "fw_fused_depthwise", "FusedDepthwiseProblem",
    "fw_fused_squeeze_excite", "FusedSqueezeExciteProblem",
    "fw_normed", "NormedProblem",
    "fw_fused_residual", "FusedResidualProblem",
    "fw_pool", "PoolProblem",
    "fw_squeezed_depthwise", "SqueezedDepthwiseProblem",
    "fw_gated_pointwise", "GatedPointwiseProblem",
  };

  private static final String[] ENUMS = {
    "fw_status",
    "fw_dtype",
    "fw_activation",
    "fw_gate",
    "fw_pool_kind",
    "fw_sample_mode",
    "fw_optimizer_kind",
    "fw_device_kind",
  };

  /** Made by JavaCPP's parser. */
  public FusewireConfig() {}

  @Override
  public void map(InfoMap map) {
    map.put(new Info("FW_API").cppTypes().annotations());
    map.put(
        new Info(
                "FUSEWIRE_FUSEWIRE_H",
                "FUSEWIRE_FUSED_H",
                "FUSEWIRE_INFERENCE_H",
                "FUSEWIRE_METER_H",
                "FUSEWIRE_FAULTS_H",
                "__cplusplus")
            .define(false));
    for (String handle : new String[] {"fw_address", "fw_stream", "fw_event", "fw_graph"}) {
      map.put(
          new Info(handle)
              .cast()
              .valueTypes("long")
              .pointerTypes("LongPointer", "LongBuffer", "long[]"));
    }
    for (String name : ENUMS) {
      map.put(
          new Info(name).cast().valueTypes("int").pointerTypes("IntPointer", "IntBuffer", "int[]"));
    }
    // Host memory as a plain address: a Pointer object per copy would cost more than a small copy.
    for (String name : new String[] {"fw_copy_from_host", "fw_copy_from_host_async", "fw_write"}) {
      map.put(
          new Info(name)
              .javaText(
                  "@NoException public static native @Cast(\"fw_status\") int "
                      + name
                      + "(@Cast(\"fw_stream\") long stream, @Cast(\"fw_address\") long dst, "
                      + "@Cast(\"const void*\") long src, @Cast(\"int64_t\") long bytes);"));
    }
    map.put(
        new Info("fw_copy_to_host")
            .javaText(
                "@NoException public static native @Cast(\"fw_status\") int fw_copy_to_host("
                    + "@Cast(\"fw_stream\") long stream, @Cast(\"void*\") long dst, "
                    + "@Cast(\"fw_address\") long src, @Cast(\"int64_t\") long bytes);"));
    map.put(
        new Info("fw_host_pin")
            .javaText(
                "@NoException public static native @Cast(\"fw_status\") int fw_host_pin("
                    + "int device, @Cast(\"void*\") long memory, @Cast(\"int64_t\") long bytes);"));
    map.put(
        new Info("fw_host_unpin")
            .javaText(
                "@NoException public static native @Cast(\"fw_status\") int fw_host_unpin("
                    + "int device, @Cast(\"void*\") long memory);"));
    for (int i = 0; i < STRUCTS.length; i += 2) {
      map.put(new Info(STRUCTS[i]).pointerTypes(STRUCTS[i + 1]));
    }
  }
}
