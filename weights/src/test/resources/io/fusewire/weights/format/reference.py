# SPDX-License-Identifier: Apache-2.0
"""Writes the small files beside this one with the libraries whose formats they have.

On Debian 12: apt-get install python3-torch python3-h5py python3-onnx; /usr/bin/python3 reference.py
(PyTorch 1.13.0, NumPy 1.24.2, h5py 3.7.0, onnx 1.12.0).

Element i of a tensor in C order is (i - 3) / 4, in whole numbers i - 3, so that every type has it exactly.
"""
import argparse
import io
import json
import os
import zipfile
from collections import OrderedDict

import h5py
import numpy as np
import onnx
import onnx.numpy_helper
import torch


def values(shape, dtype=np.float32):
    count = int(np.prod(shape))
    numbers = np.arange(count) - 3.0
    if np.dtype(dtype).kind == "f":
        numbers = numbers / 4
    return numbers.reshape(shape).astype(dtype)


def tensors():
    return OrderedDict(
        [
            ("conv.weight", torch.from_numpy(values((4, 3, 2, 2)))),
            ("bn.weight", torch.nn.Parameter(torch.from_numpy(values((5,))))),
            ("bn.num_batches_tracked", torch.tensor(7)),
            ("half", torch.from_numpy(values((2, 3))).half()),
            ("bfloat", torch.from_numpy(values((2, 3))).bfloat16()),
            ("double", torch.from_numpy(values((2, 3), np.float64))),
            ("bytes", torch.from_numpy(np.arange(4, dtype=np.uint8))),
            ("transposed", torch.from_numpy(values((3, 4)).T.copy()).t()),
            ("channels_last", torch.from_numpy(values((2, 3, 2, 2))).contiguous(memory_format=torch.channels_last)),
            ("empty", torch.zeros(0, 3)),
        ]
    )


def views():
    whole = torch.from_numpy(values((4, 6)))
    return {"whole": whole, "row": whole[2], "column": whole[:, 1], "block": whole[1:3, 2:5]}


def torch_files():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(values(tuple(tensor.shape))))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    checkpoint = {
        "epoch": 3,
        "arch": "efficientnet_b0",
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(model="efficientnet_b0", drop=0.2, sizes=[1, 2], mean=(0.5,)),
        "metric": np.float64(71.5),
        "best": torch.tensor(0.5),
        "state_dict_ema": OrderedDict((k, v + 1) for k, v in model.state_dict().items()),
    }
    for legacy in (False, True):
        suffix = "-legacy.pth" if legacy else ".pth"
        options = {"_use_new_zipfile_serialization": not legacy}
        torch.save(tensors(), "torch" + suffix, **options)
        torch.save(views(), "torch-views" + suffix, **options)
        torch.save(checkpoint, "torch-checkpoint" + suffix, **options)
    torch.save(tensors(), "torch-protocol4.pth", pickle_protocol=4)
    torch.save(model, "torch-model.pth")
    torch.save({"expanded": torch.zeros(1).expand(1000)}, "torch-expanded.pth")
    torch.jit.script(torch.nn.Linear(2, 2)).save("torch-script.pt")

    class Hostile:
        def __reduce__(self):
            return os.system, ("touch /tmp/fusewire-hostile",)

    torch.save({"weight": torch.zeros(2), "x": Hostile()}, "torch-hostile.pth")
    torch.save({"x": Hostile()}, "torch-hostile-legacy.pth", _use_new_zipfile_serialization=False)


def numpy_files():
    arrays = {
        "conv/kernel": values((2, 2, 3, 4)),
        "fortran": np.asfortranarray(values((2, 3, 4))),
        "big": values((2, 3)).astype(">f4"),
        "half": values((2, 3), np.float16),
        "double": values((2, 3), np.float64),
        "long": values((2, 3), np.int64),
        "unsigned": np.arange(4, dtype=np.uint16),
        "flag": np.array([True, False]),
        "scalar": np.float32(2.5),
        "empty": np.zeros((0, 3), np.float32),
    }
    np.savez("numpy.npz", **arrays)
    np.savez_compressed("numpy-compressed.npz", **arrays)
    np.savez("numpy-objects.npz", objects=np.array([{}], dtype=object))
    np.savez("numpy-complex.npz", complex=np.zeros(2, np.complex64))


def keras_weights(group, layers):
    """As Keras 2 writes them: names of layers and weights in attributes, a group for each part of a name."""
    group.attrs["keras_version"] = "2.11.0"
    group.attrs["backend"] = "tensorflow"
    group.attrs["layer_names"] = [layer.encode() for layer in layers]
    for layer, weights in layers.items():
        member = group.create_group(layer)
        member.attrs["weight_names"] = [name.encode() for name in weights]
        for name, value in weights.items():
            member.create_dataset(name, data=value)


def keras_files():
    layers = {
        "input_1": {},
        "stem_conv": {"stem_conv/kernel:0": values((3, 3, 3, 4))},
        "stem_bn": {
            "stem_bn/gamma:0": values((4,)),
            "stem_bn/moving_variance:0": values((4,), np.float16),
        },
        "predictions": {"predictions/kernel:0": values((4, 2)), "predictions/bias:0": values((2,), np.float64)},
    }
    with h5py.File("keras-weights.h5", "w") as file:
        keras_weights(file, layers)
    with h5py.File("keras-model.h5", "w") as file:
        file.attrs["model_config"] = '{"class_name": "Functional"}'
        keras_weights(file.create_group("model_weights"), layers)
        file.create_group("optimizer_weights").create_dataset("iteration:0", data=np.int64(3))
    for name, version in (("keras3.weights.h5", "earliest"), ("keras3-latest.weights.h5", "latest")):
        with h5py.File(name, "w", libver=version) as file:
            for i in range(12):
                file.create_dataset("layers/conv2d%s/vars/0" % ("_%d" % i if i else ""), data=values((2, 3)))
            file.create_dataset("layers/dense/vars/1", data=values((2,)).astype(">f4"))
            file.create_dataset("optimizer/vars/0", data=np.int64(3))
            file["soft"] = h5py.SoftLink("/layers")
            file["external"] = h5py.ExternalLink("/etc/passwd", "/")
    with h5py.File("hdf-chunked.h5", "w") as file:
        file.create_dataset("x", data=values((4, 4)), chunks=(2, 2), compression="gzip")
    with h5py.File("hdf-cycle.h5", "w") as file:
        file.create_group("a/b")["up"] = file.require_group("a")
    with h5py.File("hdf-strings.h5", "w") as file:
        file.create_dataset("x", data=["a", "b"])


def keras_archives():
    """As Keras 3 writes them: variables by class and number of their layer, the layers' names in config.json."""
    layers = [
        ("Normalization", "normalization", [values((3,))]),
        ("Conv2D", "stem_conv", [values((3, 3, 3, 4))]),
        ("BatchNormalization", "stem_bn", [values((4,))] * 4),
        ("Activation", "stem_activation", []),
        ("DepthwiseConv2D", "block1a_dwconv", [values((3, 3, 4, 1))]),
        ("Conv2D", "block1a_project_conv", [values((1, 1, 4, 2))]),
        ("Dense", "predictions", [values((2, 2)), values((2,))]),
        ("Special", "special", [values((2,))]),
    ]
    groups = ["normalization", "conv2d", "batch_normalization", "activation", "depthwise_conv2d", "conv2d_1", "dense", "special"]
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for group, (_, _, variables) in zip(groups, layers):
            for i, variable in enumerate(variables):
                file.create_dataset("layers/%s/vars/%d" % (group, i), data=variable)
        file.create_dataset("optimizer/vars/0", data=np.int64(3))
    config = {
        "module": "keras",
        "class_name": "Functional",
        "config": {
            "name": "efficientnetb0",
            "layers": [{"class_name": kind, "config": {"name": name, "axis": [-1]}} for kind, name, _ in layers],
            "input_layers": [["input", 0, 0]],
        },
    }
    for name, method in (("keras3.keras", zipfile.ZIP_STORED), ("keras3-compressed.keras", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(name, "w", method) as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.3.3"}))
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("model.weights.h5", weights.getvalue())


def onnx_file(name, initializers, **options):
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"], name="identity", doc_string="a node")],
        "graph",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
        initializers,
    )
    model = onnx.helper.make_model(graph, producer_name="fusewire tests", producer_version="1")
    model.metadata_props.add(key="arch", value="efficientnet_b0")
    onnx.save(model, name, **options)


def onnx_files():
    def typed(name, kind, value):
        return onnx.helper.make_tensor(name, kind, value.shape, value.flatten())

    kinds = onnx.TensorProto
    onnx_file(
        "onnx.onnx",
        [
            onnx.numpy_helper.from_array(values((4, 3, 2, 2)), "conv.weight"),
            onnx.numpy_helper.from_array(values((2, 3), np.float16), "half"),
            onnx.numpy_helper.from_array(values((2, 3), np.int64), "long"),
            onnx.numpy_helper.from_array(np.zeros((0, 3), np.float32), "empty"),
            onnx.numpy_helper.from_array(np.float32(2.5), "scalar"),
            typed("typed.float", kinds.FLOAT, values((2, 3))),
            typed("typed.double", kinds.DOUBLE, values((2, 3), np.float64)),
            typed("typed.half", kinds.FLOAT16, values((2, 3), np.float16)),
            typed("typed.bfloat", kinds.BFLOAT16, values((2, 3))),
            typed("typed.int", kinds.INT32, values((2, 3), np.int32)),
            typed("typed.long", kinds.INT64, values((2, 3), np.int64)),
            onnx.helper.make_tensor("text", kinds.STRING, [1], [b"a text"]),
        ],
    )
    large = onnx.numpy_helper.from_array(values((4, 4)), "external")
    onnx_file("onnx-external.onnx", [large], save_as_external_data=True, size_threshold=0, location="onnx-external.data")
    os.remove("onnx-external.data")


if __name__ == "__main__":
    torch_files()
    numpy_files()
    keras_files()
    keras_archives()
    onnx_files()
