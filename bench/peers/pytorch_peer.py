#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch as a peer of Fusewire's benchmarks.

Started by `./fusewire bench ops|model --peer pytorch`; reads requests from stdin and writes answers to stdout, each a
flat JSON object on one line. Needs torch; of a network's definitions takes timm's, else torchvision's, else the one in
this file. Works on a CPU and with torch 1.13 as well, in the modes that it has there.

Requests (answers have "ok": true and what is listed, or "ok": false and "reason"):
  {"request": "hello"}                          versions and device
  {"request": "product", "dtype": D}            "per_second": floating-point operations of a large matrix product
  {"request": "prepare", "id": N, ...}          "peak_bytes": device memory of the case; builds it and warms it up
      kind "operation": layer, operation, batch, height, width, in, out, kernel, stride, [expand_from], cold_bytes
      kind "network":   operation train-step or infer-step, model, resolution, classes, batch, learning_rate, momentum
      both:             dtype f32, bf16 or f16; mode eager, compile or graph
  {"request": "run", "id": N}                   "ms": milliseconds of one call
  {"request": "drop", "id": N}                  "peak_bytes"; forgets the case

Modes: eager; compile is torch.compile with max-autotune (for single operations without its CUDA graphs, which would copy
every source); graph is eager work captured once in a CUDA graph and replayed.
"""

import argparse
import gc
import json
import math
import os
import sys
import time
import traceback

try:
    import torch
    import torch.nn.functional as F
except Exception as error:  # a broken installation raises much else than ImportError
    torch = None
    TORCH_ERROR = "%s: %s" % (type(error).__name__, error)

RUN_SECONDS = 0.004
MOST_CALLS = 100
MOST_PLACES = 256
WARM_UPS = 3
EPSILON = 1e-3
NETWORK_EPSILON = 1e-5
# About 3 ms at a GPU's clock: what a head start lasts, in which all calls of a run are queued.
HEAD_START_CYCLES = 5_000_000


class Refused(Exception):
    """A case that cannot be; the text is the reason."""


class Device:
    """Where everything runs, and its clock."""

    def __init__(self, name, threads):
        self.name = name
        self.cuda = name.startswith("cuda")
        torch.set_num_threads(threads)
        if self.cuda:
            if not torch.cuda.is_available():
                raise Refused("torch %s finds no GPU" % torch.__version__)
            torch.cuda.set_device(torch.device(name))
        self.torch = torch.device(name)

    def synchronize(self):
        if self.cuda:
            torch.cuda.synchronize()

    def seconds(self, work, head_start):
        """Time of work, by events on a GPU."""
        if not self.cuda:
            start = time.perf_counter()
            work()
            return time.perf_counter() - start
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if head_start and hasattr(torch.cuda, "_sleep"):
            torch.cuda._sleep(HEAD_START_CYCLES)
        start.record()
        work()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) * 1e-3

    def facts(self):
        facts = {"version": torch.__version__, "threads": str(torch.get_num_threads())}
        if self.cuda:
            facts["device"] = torch.cuda.get_device_name(self.torch)
            facts["cuda"] = str(torch.version.cuda)
            facts["cudnn"] = str(torch.backends.cudnn.version())
        else:
            facts["device"] = "cpu"
        for name in ("timm", "torchvision"):
            try:
                facts[name] = __import__(name).__version__
            except Exception as error:
                facts[name] = "none: " + reason(error)
        return facts


def dtype_of(name):
    return {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[name]


# ---------------------------------------------------------------------------------------------------------------------
# Single operations, one library call for each step, as frameworks do them.


class Operation:
    """An operation of a layer: its tensors at several places, and the call."""

    def __init__(self, request, device):
        self.r = request
        self.device = device
        self.dtype = dtype_of(request["dtype"])
        self.layer = request["layer"]
        self.name = request["operation"]
        self.kernel, self.stride = request["kernel"], request["stride"]
        self.statistics = statistics_compiled if request["mode"] == "compile" else statistics_eager
        self.groups = request["in"] if self.layer == "dw" else 1
        builders = {"se": self.squeeze_excite, "pool": self.pool, "classifier": self.classifier}
        self.makers = []
        self.call = builders.get(self.layer, self.convolution)()
        if self.call is None:
            raise Refused("the peer has no operation %s of a layer %s" % (self.name, self.layer))
        torch.manual_seed(1)
        place = [make() for make in self.makers]
        size = sum(t.numel() * t.element_size() for t in place)
        spread = request["cold_bytes"]
        count = 1 if spread == 0 else min(MOST_PLACES, 1 + spread // max(1, size))
        self.places = [place] + [[t.clone() for t in place] for _ in range(count - 1)]

    def add(self, make):
        self.makers.append(make)

    def image(self, after, channels):
        """A channels-last tensor of the size before or after the convolution."""
        stride = self.stride if after else 1
        h, w = (-(-self.r[side] // stride) for side in ("height", "width"))
        shape = (self.r["batch"], channels, h, w)
        self.add(
            lambda: torch.randn(shape, device=self.device.torch)
            .to(self.dtype)
            .contiguous(memory_format=torch.channels_last)
        )

    def weights(self, out, inner, kernel):
        scale = 1.0 / math.sqrt(inner * kernel * kernel)
        self.add(
            lambda: (torch.randn(out, inner, kernel, kernel, device=self.device.torch) * scale)
            .to(self.dtype)
            .contiguous(memory_format=torch.channels_last)
        )

    def plain(self, *shape, dtype=None):
        self.add(lambda: torch.randn(*shape, device=self.device.torch).to(dtype or self.dtype))

    def norm(self, channels):
        """gamma, beta, mean, variance of a BatchNorm, in f32 as AMP keeps them."""
        f32 = torch.float32
        self.plain(channels, dtype=f32)
        self.plain(channels, dtype=f32)
        self.add(lambda: torch.zeros(channels, device=self.device.torch))
        self.add(lambda: torch.ones(channels, device=self.device.torch))

    def conv(self, x, w, bias=None):
        return F.conv2d(x, w, bias, self.stride, self.kernel // 2, 1, self.groups)

    def conv_backward(self, diff, x, w, wanted):
        pad = [self.kernel // 2] * 2
        stride = [self.stride] * 2
        return torch.ops.aten.convolution_backward(
            diff, x, w, None, stride, pad, [1, 1], False, [0, 0], self.groups, wanted
        )

    def convolution(self):
        inner, out = self.r["in"], self.r["out"]
        filters = (out, inner // self.groups, self.kernel)
        gated = self.layer == "project"
        plain_source = self.layer in ("expand", "head", "stem")
        name = self.name
        if name == "forward":
            self.image(False, inner)
            self.weights(*filters)
            return lambda x, w: self.conv(x, w)
        if name in ("backward-data", "backward-weights"):
            data = name == "backward-data"
            self.image(True, out)
            self.image(False, inner)
            self.weights(*filters)
            return lambda dy, x, w: self.conv_backward(dy, x, w, [data, not data, False])
        if name == "norm-forward":
            self.image(True, out)
            self.norm(out)
            return lambda x, g, b, m, v: activated(F.batch_norm(x, None, None, g, b, True, 0.1, EPSILON), not gated)
        if name == "norm-backward":
            self.image(True, out)
            self.image(True, out)
            self.image(True, out)
            self.norm(out)

            def backward(x, normed, dy, g, b, m, v):
                diff = torch.ops.aten.silu_backward(dy, normed) if not gated else dy
                return norm_backward(diff, x, g, m, v)

            return backward
        if name == "fused-forward":
            self.image(False, inner)
            self.weights(*filters)
            if plain_source:
                return lambda x, w: with_statistics(self, self.conv(x, w))
            self.norm(inner)
            if gated:
                self.plain(self.r["batch"], inner, 1, 1)
                return lambda x, w, g, b, m, v, gate: with_statistics(
                    self, self.conv(normed_silu(x, g, b, m, v) * gate, w)
                )
            return lambda x, w, g, b, m, v: with_statistics(self, self.conv(normed_silu(x, g, b, m, v), w))
        if name == "fused-backward":
            return self.fused_backward(inner, out, filters)
        if name in ("inference", "inference-expanded"):
            return self.inference(inner, out, filters, gated)
        return None

    def fused_backward(self, inner, out, filters):
        """Through the BatchNorm behind, the convolution, and, of a depthwise one, both SiLUs around it."""
        self.image(True, out)  # gradient
        self.image(True, out)  # raw result
        self.image(False, inner)  # what was convolved
        self.weights(*filters)
        self.norm(out)
        wanted = [self.layer != "stem", True, False]
        if self.layer != "dw":

            def backward(dy, raw, x, w, g, b, m, v):
                norm = norm_backward(dy, raw, g, m, v)
                return self.conv_backward(norm[0], x, w, wanted)[: 2] + norm[1:]

            return backward
        self.image(True, out)  # normalised result
        self.image(False, inner)  # normalised source

        def backward(dy, raw, x, w, g, b, m, v, normed, normed_x):
            diff = torch.ops.aten.silu_backward(dy, normed)
            diff = norm_backward(diff, raw, g, m, v)[0]
            dx, dw, _ = self.conv_backward(diff, x, w, wanted)
            return torch.ops.aten.silu_backward(dx, normed_x), dw

        return backward

    def inference(self, inner, out, filters, gated):
        if self.name == "inference-expanded":
            narrow = self.r["expand_from"]
            self.image(False, narrow)
            self.weights(inner, narrow, 1)
            self.plain(inner)
            self.weights(*filters)
            self.plain(out)

            def expanded(x, we, be, w, b):
                y = F.silu(self.conv(F.silu(F.conv2d(x, we, be)), w, b))
                return y, y.sum((2, 3))

            return expanded
        self.image(False, inner)
        self.weights(*filters)
        self.plain(out)
        if gated:
            self.plain(self.r["batch"], inner, 1, 1)
            return lambda x, w, b, gate: self.conv(x * gate, w, b)
        if self.layer == "dw":

            def squeezed(x, w, b):
                y = F.silu(self.conv(x, w, b))
                return y, y.sum((2, 3))

            return squeezed
        return lambda x, w, b: F.silu(self.conv(x, w, b))

    def squeeze_excite(self):
        channels, squeezed, batch = self.r["in"], self.r["out"], self.r["batch"]
        pixels = self.r["height"] * self.r["width"]
        name = self.name
        backward = name in ("backward", "fused-backward")
        if name == "inference":
            self.plain(batch, 8, channels, dtype=torch.float32)
        elif name in ("forward", "backward", "fused-forward", "fused-backward"):
            self.image(False, channels)
        else:
            return None
        self.weights(squeezed, channels, 1)
        self.plain(squeezed)
        self.weights(channels, squeezed, 1)
        self.plain(channels)

        def gate(pooled, wr, br, we, be):
            return torch.sigmoid(F.conv2d(F.silu(F.conv2d(pooled, wr, br)), we, be))

        if name == "inference":
            return lambda s, *w: gate((s.sum(1) / pixels).to(self.dtype)[:, :, None, None], *w)
        if name == "forward":
            return lambda x, *w: x * gate(x.mean((2, 3), keepdim=True), *w)
        if name == "fused-forward":
            self.norm(channels)

            def fused(x, wr, br, we, be, g, b, m, v):
                return gate(normed_silu(x, g, b, m, v).mean((2, 3), keepdim=True), wr, br, we, be)

            return fused
        self.image(False, channels)  # gradient
        self.plain(batch, channels, 1, 1)  # pooled
        self.plain(batch, squeezed, 1, 1)  # hidden
        self.plain(batch, channels, 1, 1)  # gate

        def inner(x, wr, we, dy, pooled, hidden, gated):
            excited = torch.ops.aten.sigmoid_backward((dy * x).sum((2, 3), keepdim=True), gated).flatten(1)
            active = F.silu(hidden).flatten(1)
            reduced = torch.ops.aten.silu_backward(excited @ we.flatten(1), hidden.flatten(1))
            mean = ((reduced @ wr.flatten(1)) / pixels)[:, :, None, None]
            return mean, reduced.t() @ pooled.flatten(1), reduced.sum(0), excited.t() @ active, excited.sum(0)

        if name == "backward":

            def plain(x, wr, br, we, be, dy, pooled, hidden, gated):
                parts = inner(x, wr, we, dy, pooled, hidden, gated)
                return (dy * gated + parts[0],) + parts[1:]

            return plain
        self.image(False, channels)  # normalised
        self.norm(channels)

        def fused_backward(x, wr, br, we, be, dy, pooled, hidden, gated, normed, g, b, m, v):
            parts = inner(F.silu(normed), wr, we, dy, pooled, hidden, gated)
            diff = torch.ops.aten.silu_backward(dy * gated + parts[0], normed)
            return parts + norm_backward(diff, x, g, m, v)[1:]

        return fused_backward

    def pool(self):
        channels, batch = self.r["in"], self.r["batch"]
        if self.name == "forward":
            self.image(False, channels)
            return lambda x: x.mean((2, 3), keepdim=True)
        if self.name == "backward":
            h, w = self.r["height"], self.r["width"]
            self.plain(batch, channels, 1, 1)
            return lambda dy: (dy / (h * w)).expand(-1, -1, h, w).contiguous(memory_format=torch.channels_last)
        return None

    def classifier(self):
        if self.name != "inference":
            return None
        self.plain(self.r["batch"], self.r["in"])
        self.plain(self.r["out"], self.r["in"])
        self.plain(self.r["out"])

        def classify(x, w, b):
            logits = F.linear(x, w, b)
            return logits, torch.softmax(logits.float(), 1)

        return classify


def activated(x, active):
    return F.silu(x) if active else x


def normed_silu(x, gamma, beta, mean, variance):
    return F.silu(F.batch_norm(x, mean, variance, gamma, beta, False, 0.1, EPSILON))


def statistics_eager(x):
    return torch.batch_norm_update_stats(x, None, None, 0.1)


def statistics_compiled(x):
    return torch.var_mean(x.float(), (0, 2, 3), unbiased=False)


def with_statistics(operation, x):
    return x, operation.statistics(x)


def norm_backward(diff, x, gamma, mean, inverse):
    return torch.ops.aten.native_batch_norm_backward(
        diff, x, gamma, None, None, mean, inverse, True, EPSILON, [True, True, True]
    )


# ---------------------------------------------------------------------------------------------------------------------
# Whole networks.


class Network:
    """A training step or a forward pass of an EfficientNet, channels-last, under autocast."""

    def __init__(self, request, device):
        self.device = device
        self.dtype = dtype_of(request["dtype"])
        size, batch, classes = request["resolution"], request["batch"], request["classes"]
        torch.manual_seed(1)
        model, self.source = make_model(request["model"], classes)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eps = NETWORK_EPSILON
                module.momentum = 0.1
        model = model.to(device.torch).to(memory_format=torch.channels_last)
        images = torch.randn(batch, 3, size, size, device=device.torch)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.labels = torch.arange(batch, device=device.torch) * 37 % classes
        mode = request["mode"]
        if request["operation"] == "train-step":
            self.prepare_training(model.train(), request, mode)
        else:
            self.prepare_inference(model.eval(), mode)

    def prepare_training(self, model, request, mode):
        options = {"fused": True} if self.device.cuda and torch_version() >= (2, 3) else {}
        optimizer = torch.optim.SGD(
            model.parameters(), lr=request["learning_rate"], momentum=request["momentum"], **options
        )
        half = self.dtype == torch.float16
        if half and not self.device.cuda:
            raise Refused("torch trains in f16 on GPUs only")
        if half and mode == "graph":
            raise Refused("the loss scaler decides on the host, which a CUDA graph cannot")
        scaler = torch.cuda.amp.GradScaler() if half else None
        forward = compiled(model) if mode == "compile" else model

        def step():
            optimizer.zero_grad(set_to_none=True)
            with self.autocast():
                loss = F.cross_entropy(forward(self.images).float(), self.labels)
            if scaler is None:
                loss.backward()
                optimizer.step()
            else:
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()

        self.call = step

    def prepare_inference(self, model, mode):
        # Weights in the type that is computed in: faster than autocast, and nothing is lost by it in inference.
        model = model.to(self.dtype)
        images = self.images.to(self.dtype)
        forward = compiled(model) if mode == "compile" else model

        def infer():
            with torch.inference_mode() if mode != "compile" else torch.no_grad():
                return torch.softmax(forward(images).float(), 1)

        self.call = infer

    def autocast(self):
        kind = "cuda" if self.device.cuda else "cpu"
        return torch.autocast(kind, dtype=self.dtype, enabled=self.dtype != torch.float32)


def torch_version():
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in torch.__version__.split(".")[:2])


def compiled(function, graphs=True):
    if not hasattr(torch, "compile"):
        raise Refused("torch %s has no torch.compile" % torch.__version__)
    return torch.compile(function, mode="max-autotune" if graphs else "max-autotune-no-cudagraphs")


def make_model(name, classes):
    """The network and whose definition it is."""
    try:
        import timm

        model = timm.create_model("efficientnet_" + name, num_classes=classes, drop_rate=0.0, drop_path_rate=0.0)
        return model, "timm " + timm.__version__
    except Exception:
        pass
    try:
        import torchvision

        model = getattr(torchvision.models, "efficientnet_" + name)(
            num_classes=classes, dropout=0.0, stochastic_depth_prob=0.0
        )
        return model, "torchvision " + torchvision.__version__
    except Exception:
        return EfficientNet(name, classes), "the peer's own definition"


# kernel, channels, layers, stride, expansion of every stage of B0; width and depth factors (arXiv 1905.11946).
STAGES = [(3, 16, 1, 1, 1), (3, 24, 2, 2, 6), (5, 40, 2, 2, 6), (3, 80, 3, 2, 6), (5, 112, 3, 1, 6), (5, 192, 4, 2, 6)]
STAGES.append((3, 320, 1, 1, 6))
FACTORS = {"b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4), "b4": (1.4, 1.8)}
FACTORS.update({"b5": (1.6, 2.2), "b6": (1.8, 2.6), "b7": (2.0, 3.1)})


def module_base():
    return torch.nn.Module if torch is not None else object


class Block(module_base()):
    """An MBConv block."""

    def __init__(self, inner, out, kernel, stride, expansion):
        super().__init__()
        nn = torch.nn
        wide, squeezed = inner * expansion, max(1, inner // 4)
        layers = [nn.Conv2d(inner, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU(True)] if expansion > 1 else []
        layers += [nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)]
        self.body = nn.Sequential(*layers, nn.BatchNorm2d(wide), nn.SiLU(True))
        self.gate = nn.Sequential(nn.Conv2d(wide, squeezed, 1), nn.SiLU(True), nn.Conv2d(squeezed, wide, 1), nn.Sigmoid())
        self.project = nn.Sequential(nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out))
        self.residual = stride == 1 and inner == out

    def forward(self, x):
        y = self.body(x)
        y = self.project(y * self.gate(y.mean((2, 3), keepdim=True)))
        return y + x if self.residual else y


class EfficientNet(module_base()):
    """EfficientNet without dropout, for where neither timm nor torchvision is."""

    def __init__(self, name, classes):
        super().__init__()
        nn = torch.nn
        wider, deeper = FACTORS[name]

        def width(channels):
            rounded = max(8, int(channels * wider + 4) // 8 * 8)
            return rounded + 8 if rounded < 0.9 * channels * wider else rounded

        inner = width(32)
        layers = [nn.Conv2d(3, inner, 3, 2, 1, bias=False), nn.BatchNorm2d(inner), nn.SiLU(True)]
        for kernel, channels, count, stride, expansion in STAGES:
            for i in range(math.ceil(count * deeper)):
                layers.append(Block(inner, width(channels), kernel, stride if i == 0 else 1, expansion))
                inner = width(channels)
        layers += [nn.Conv2d(inner, width(1280), 1, bias=False), nn.BatchNorm2d(width(1280)), nn.SiLU(True)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width(1280), classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


# ---------------------------------------------------------------------------------------------------------------------
# Cases: something that can be run and timed.


class Case:
    """A prepared case: knows how many calls a run has, and what memory it took."""

    def __init__(self, request, device):
        mode = request["mode"]
        if mode not in ("eager", "compile", "graph"):
            raise Refused("there is no mode %s" % mode)
        if mode == "graph" and not device.cuda:
            raise Refused("CUDA graphs need a GPU")
        self.device = device
        # True f32 where f32 is asked for, as on our side, unless TF32 is allowed there too.
        tf32 = request["dtype"] != "f32" or request.get("allow_tf32", False)
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True
        before = self.memory_before()
        self.single = request["kind"] == "operation"
        if self.single:
            self.prepare_operation(request, mode)
        else:
            self.prepare_network(request, mode)
        self.run(1)
        self.calls = 1
        once = min(self.run(1) for _ in range(WARM_UPS))
        self.calls = max(1, min(MOST_CALLS, math.ceil(RUN_SECONDS / max(once, 1e-9))))
        if self.cycle > 1:
            self.calls = -(-self.calls // self.cycle)
        self.peak_bytes = torch.cuda.max_memory_allocated() - before if device.cuda else None

    def memory_before(self):
        if not self.device.cuda:
            return 0
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()

    def prepare_operation(self, request, mode):
        operation = Operation(request, self.device)
        self.source = "aten"
        call = compiled(operation.call, graphs=False) if mode == "compile" else operation.call
        places = operation.places
        self.cycle = 1
        counter = [0]

        def one():
            counter[0] = (counter[0] + 1) % len(places)
            return call(*places[counter[0]])

        def guarded():
            with torch.no_grad():
                return one()

        self.call = guarded
        for _ in range(WARM_UPS):
            guarded()
        if mode == "graph":
            self.cycle = min(len(places), MOST_CALLS)
            self.capture(guarded, self.cycle)

    def prepare_network(self, request, mode):
        network = Network(request, self.device)
        self.source = network.source
        self.cycle = 1
        self.call = network.call
        if mode == "graph":
            self.capture(network.call, 1)
        else:
            for _ in range(WARM_UPS):
                network.call()

    def capture(self, call, times):
        """Captures so many calls in one graph, after a few on another stream, as the manual asks for."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                call()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            # The last result is held, so that its memory stays the graph's.
            self.held = [call() for _ in range(times)][-1]
        self.call = graph.replay

    def run(self, calls=None):
        """Seconds of one call."""
        count = calls or self.calls

        def work():
            for _ in range(count):
                self.call()

        return self.device.seconds(work, self.single) / count / self.cycle


def product(device, dtype):
    """Floating-point operations per second of the fastest of some large products."""
    rows, inner = (16384, 4096) if device.cuda else (2048, 1024)
    torch.backends.cuda.matmul.allow_tf32 = False
    left = torch.randn(rows, inner, device=device.torch).to(dtype)
    right = torch.randn(inner, inner, device=device.torch).to(dtype)
    times = [device.seconds(lambda: torch.mm(left, right), True) for _ in range(12)]
    return 2.0 * rows * inner * inner / min(times)


class Peer:
    """Answers requests."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.device = None
        self.cases = {}

    def answer(self, request):
        what = request.get("request")
        if torch is None:
            raise Refused("this Python has no usable torch: " + TORCH_ERROR)
        if self.device is None:
            self.device = Device(self.arguments.device, self.arguments.threads)
        if what == "hello":
            return self.device.facts()
        if what == "product":
            return {"per_second": product(self.device, dtype_of(request["dtype"]))}
        if what == "prepare":
            case = Case(request, self.device)
            self.cases[request["id"]] = case
            return {"peak_bytes": case.peak_bytes, "source": case.source}
        if what == "run":
            return {"ms": self.case(request).run() * 1e3}
        if what == "drop":
            case = self.case(request)
            del self.cases[request["id"]]
            answer = {"peak_bytes": case.peak_bytes}
            del case
            self.forget()
            return answer
        raise Refused("there is no request %s" % what)

    def case(self, request):
        if request["id"] not in self.cases:
            raise Refused("there is no case %s" % request["id"])
        return self.cases[request["id"]]

    def forget(self):
        """Gives memory back; compiled code's too, once no other case may need it."""
        if torch is None or self.device is None:
            return
        dynamo = sys.modules.get("torch._dynamo")
        if not self.cases and dynamo is not None:
            dynamo.reset()
        gc.collect()
        if self.device.cuda:
            torch.cuda.empty_cache()


def reason(error):
    """One line."""
    text = str(error).strip() or type(error).__name__
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first if isinstance(error, Refused) else "%s: %s" % (type(error).__name__, first)


def main():
    parser = argparse.ArgumentParser(description="PyTorch as a peer of Fusewire's benchmarks; see the file's beginning.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    # Answers alone go to stdout: whatever a library prints there goes to stderr.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    peer = Peer(arguments)
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            answer = dict(peer.answer(json.loads(line)), ok=True)
        except Exception as error:
            traceback.print_exc()
            answer = {"ok": False, "reason": reason(error)}
            error.__traceback__ = None
            try:
                peer.forget()
            except Exception:
                traceback.print_exc()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
