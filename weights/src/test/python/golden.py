#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the names, shapes and logits that io.fusewire.weights.names is tested against.

Needs torchvision (Debian: apt-get install python3-torchvision). Writes to ../resources/io/fusewire/weights/names:

- torchvision-MODEL.txt.gz: keys and shapes of the real models' state dicts.
- LIBRARY-MODEL.txt.gz: the same tensors under the names and in the axis order of another library, which were taken from
  its public sources (that library need not be installed), and torchvision's key of each.
- logits.txt: what PyTorch computes with weights made by a formula of key and index, so that no weights need be kept.

usage: golden.py
"""
import gzip
import os
import re
import zlib

import numpy as np
import torch
import torchvision
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "../resources/io/fusewire/weights/names")
CLASSES = 10
PIXELS = 64


def write(name, lines):
    with open(os.path.join(OUT, name + ".txt.gz"), "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=9, mtime=0, filename="") as file:
            file.write(("\n".join(lines) + "\n").encode())


def uniform(seed, count):
    """Numbers from 0 to 1, the same in every language: murmur's finaliser over a Weyl sequence."""
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + zlib.crc32(seed.encode())) & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    x = x * 0x85EBCA6B & 0xFFFFFFFF
    x ^= x >> np.uint64(13)
    x = x * 0xC2B2AE35 & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    return x.astype(np.float64) / 2**32


def value(key, shape):
    u = uniform(key, int(np.prod(shape)))
    if len(shape) == 4:
        v = (2 * u - 1) * np.sqrt(3 / (shape[1] * shape[2] * shape[3]))
    elif len(shape) == 2:
        v = (2 * u - 1) * np.sqrt(3 / shape[1])
    elif key.endswith("running_var"):
        v = 0.5 + u
    elif key.endswith(".weight"):
        v = 0.75 + 0.5 * u
    else:
        v = 0.2 * (2 * u - 1)
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


class Same(nn.Module):
    """A strided convolution that pads as TensorFlow does: what is left over goes after."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv
        self.kernel, self.stride = conv.kernel_size[0], conv.stride[0]
        conv.padding = (0, 0)

    def forward(self, x):
        size = x.shape[-1]
        out = -(-size // self.stride)
        total = max((out - 1) * self.stride + self.kernel - size, 0)
        before = total // 2
        after = total - before
        return self.conv(nn.functional.pad(x, (before, after, before, after)))


def logits(model, mean, std, same=False):
    state = model.state_dict()
    for key, tensor in state.items():
        if not key.endswith("num_batches_tracked"):
            tensor.copy_(value(key, tuple(tensor.shape)))
    if same:
        for module in list(model.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.Conv2d) and child.stride[0] > 1:
                    setattr(module, name, Same(child))
                elif isinstance(child, nn.BatchNorm2d):
                    child.eps = 1e-3
    model.eval()
    pixels = np.floor(uniform("image", PIXELS * PIXELS * 3) * 256).reshape(PIXELS, PIXELS, 3)
    image = (pixels / 255 - np.array(mean)) / np.array(std)
    with torch.no_grad():
        result = model(torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float())[0]
        exact = model.double()(torch.from_numpy(image.transpose(2, 0, 1).copy())[None])[0]
    print("  float32 against float64: %.1e" % (torch.norm(result.double() - exact) / torch.norm(exact)))
    return " ".join("%.9g" % v for v in exact)


def layers(state):
    """torchvision's EfficientNet as (part, block number, stage, index, key of the layer), in order."""
    result, number, blocks = [], -1, {}
    stages = max(int(k.split(".")[1]) for k in state if k.startswith("features."))
    for key in state:
        layer = key.rsplit(".", 1)[0]
        if (layer,) in blocks or key.endswith("num_batches_tracked"):
            continue
        blocks[(layer,)] = True
        part = layer.split(".")
        if part[0] == "classifier":
            result.append(("classifier", None, None, None, layer))
        elif part[1] in ("0", str(stages)):
            kind = "stem" if part[1] == "0" else "head"
            result.append((kind if part[2] == "0" else kind + "_norm", None, None, None, layer))
        else:
            stage, index = int(part[1]) - 1, int(part[2])
            if (stage, index) not in blocks:
                number += 1
                blocks[(stage, index)] = number
            prefix = "features.%d.%d.block." % (stage + 1, index)
            convs = sorted({int(k[len(prefix)]) for k in state if re.match(re.escape(prefix) + r"\d\.0\.weight", k)})
            depthwise = any(state[prefix + "%d.0.weight" % c].shape[1] == 1 for c in convs)
            if len(part) == 6 and part[5].startswith("fc"):
                kind = "reduce" if part[5] == "fc1" else "excite"
            else:
                names = {3: ["expand", "depthwise", "project"], 1: ["fused"]}.get(
                    len(convs), ["depthwise", "project"] if depthwise else ["fused_expand", "project"])
                kind = names[convs.index(int(part[4]))] + ("_norm" if part[5] == "1" else "")
            result.append((kind, number, stage, index, layer))
    return result


def timm(kind, number, stage, index, of_block):
    outside = {"stem": "conv_stem", "stem_norm": "bn1", "head": "conv_head", "head_norm": "bn2"}
    if number is None:
        return outside.get(kind, kind)
    norms = [k for k in of_block if k.endswith("_norm")]
    if kind in norms:
        name = "bn%d" % (1 + norms.index(kind))
    elif kind == "project":
        name = "conv_pw" if "expand" not in of_block and "depthwise" in of_block else "conv_pwl"
    else:
        name = {"expand": "conv_pw", "depthwise": "conv_dw", "reduce": "se.conv_reduce", "excite": "se.conv_expand",
                "fused": "conv", "fused_expand": "conv_exp"}[kind]
    return "blocks.%d.%d.%s" % (stage, index, name)


def lukemelas(kind, number, stage, index, of_block):
    if number is None:
        return {"stem": "_conv_stem", "stem_norm": "_bn0", "head": "_conv_head", "head_norm": "_bn1"}.get(kind, "_fc")
    return "_blocks.%d.%s" % (number, {
        "expand": "_expand_conv", "expand_norm": "_bn0", "depthwise": "_depthwise_conv", "depthwise_norm": "_bn1",
        "reduce": "_se_reduce", "excite": "_se_expand", "project": "_project_conv", "project_norm": "_bn2"}[kind])


def tensorflow(model):
    def name(kind, number, stage, index, of_block):
        if number is None:
            place = {"stem": "stem/conv2d", "stem_norm": "stem/tpu_batch_normalization", "head": "head/conv2d",
                     "head_norm": "head/tpu_batch_normalization"}.get(kind, "head/dense")
            return model + "/" + place
        convs = [k for k in of_block if k in ("expand", "project", "fused", "fused_expand")]
        norms = [k for k in of_block if k.endswith("_norm")]
        if kind in norms:
            at, word = norms.index(kind), "tpu_batch_normalization"
        elif kind in convs:
            at, word = convs.index(kind), "conv2d"
        else:
            at, word = 0, {"depthwise": "depthwise_conv2d", "reduce": "se/conv2d", "excite": "se/conv2d_1"}[kind]
        return "%s/blocks_%d/%s%s" % (model, number, word, "_%d" % at if at else "")
    return name


def keras(v2):
    def name(kind, number, stage, index, of_block):
        if number is None:
            layer = {"stem": "stem_conv", "stem_norm": "stem_bn", "head": "top_conv", "head_norm": "top_bn"}.get(
                kind, "predictions")
        else:
            layer = "block%d%s_%s" % (stage + 1, chr(ord("a") + index), {
                "expand": "expand_conv", "expand_norm": "expand_bn", "fused_expand": "expand_conv",
                "fused_expand_norm": "expand_bn", "depthwise": "dwconv2" if v2 else "dwconv", "depthwise_norm": "bn",
                "reduce": "se_reduce", "excite": "se_expand", "project": "project_conv", "project_norm": "project_bn",
                "fused": "project_conv", "fused_norm": "project_bn"}[kind])
        return layer + "/" + layer
    return name


def leaf(kind, name, tf):
    if not tf:
        return name
    if kind.endswith("_norm"):
        return {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean",
                "running_var": "moving_variance"}[name]
    return name if name == "bias" else "depthwise_kernel" if kind == "depthwise" else "kernel"


def renamed(file, state, naming, tf, extra=(), suffix="", without=()):
    all_layers = layers(state)
    lines = []
    for kind, number, stage, index, layer in all_layers:
        if kind in without:
            continue
        of_block = [k for k, n, _, _, _ in all_layers if n == number and k not in without]
        for key in state:
            name = key[len(layer) + 1:]
            if not key.startswith(layer + ".") or "." in name or name == "num_batches_tracked":
                continue
            shape = list(state[key].shape)
            if tf and len(shape) == 4:
                shape = [shape[2], shape[3], shape[0], shape[1]] if kind == "depthwise" else [
                    shape[2], shape[3], shape[1], shape[0]]
            elif tf:
                shape = shape[::-1]
            full = naming(kind, number, stage, index, of_block) + ("/" if tf else ".") + leaf(kind, name, tf) + suffix
            lines.append("%s %s %s" % (full, ",".join(map(str, shape)), key))
    write(file, lines + list(extra))


def main():
    os.makedirs(OUT, exist_ok=True)
    models = torchvision.models
    for name in ("efficientnet_b0", "efficientnet_b5", "efficientnet_v2_s", "resnet18", "resnet50"):
        state = getattr(models, name)(num_classes=CLASSES).state_dict()
        write("torchvision-" + name, ["%s %s %s" % (k, ",".join(map(str, v.shape)), k) for k, v in state.items()])
    b0 = models.efficientnet_b0(num_classes=CLASSES).state_dict()
    v2 = models.efficientnet_v2_s(num_classes=CLASSES).state_dict()
    gate = ("reduce", "excite")
    renamed("timm-tf_efficientnet_b0", b0, timm, False)
    renamed("timm-tf_efficientnetv2_s", v2, timm, False)
    renamed("timm-tf_efficientnet_lite0", b0, timm, False, without=gate)
    renamed("lukemelas-efficientnet-b0", b0, lukemelas, False)
    renamed("tensorflow-efficientnet-b0", b0, tensorflow("efficientnet-b0"), True)
    renamed("tensorflow-efficientnetv2-s", v2, tensorflow("efficientnetv2-s"), True)
    renamed("tensorflow-efficientnet-lite0", b0, tensorflow("efficientnet-lite0"), True, without=gate)
    renamed("keras-efficientnetb0", b0, keras(False), True, suffix=":0",
            extra=("normalization/normalization/mean:0 3 mean", "normalization/normalization/variance:0 3 variance",
                   "normalization/normalization/count:0  count"))
    renamed("keras-efficientnetv2-s", v2, keras(True), True, suffix=":0")
    imagenet = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    with open(os.path.join(OUT, "logits.txt"), "w") as file:
        file.write("# Made by src/test/python/golden.py with PyTorch %s in float64.\n" % torch.__version__)
        for title, model, colours, same in (
                ("efficientnet_b0", models.efficientnet_b0, imagenet, False),
                ("efficientnet_b0-same", models.efficientnet_b0, imagenet, True),
                ("efficientnet_v2_s", models.efficientnet_v2_s, imagenet, False),
                ("efficientnet_v2_s-same", models.efficientnet_v2_s, imagenet, True),
                ("resnet18", models.resnet18, imagenet, False)):
            print(title)
            file.write(title + " " + logits(model(num_classes=CLASSES), *colours, same=same) + "\n")


if __name__ == "__main__":
    main()
