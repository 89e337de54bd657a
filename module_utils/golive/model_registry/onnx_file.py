"""Is this file an ONNX model, and does it hold everything itself? Read by its wire form, in constant memory, without loading it.

Field numbers: github.com/onnx/onnx/blob/main/onnx/onnx.proto (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto). A tensor
may lie "outside" in any file that the model names, so such a model could read what the bot's user can read.
"""
from __future__ import annotations

from typing import BinaryIO, Iterator, Tuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_IR_VERSION, _GRAPH, _OPSET, _FUNCTIONS = 1, 7, 8, 25
_DEPTH = 24
_FIELDS_CAP = 4_000_000
Field = Tuple[int, int, int, int]   # number, wire type, start, end (or the value itself, for a varint)


class NotOnnx(Exception):
    """The bytes are not those of an ONNX model, or the model refers to data outside of its file; the text says which."""


class _Walk:
    def __init__(self, handle: BinaryIO) -> None:
        self.handle, self.left = handle, _FIELDS_CAP

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """Yield the fields of the message between two offsets."""
        at = start
        while at < end:
            self.left -= 1
            if self.left < 0:
                raise NotOnnx("has more parts than can be looked at")
            self.handle.seek(at)
            tag, at = self._varint(at, end)
            number, wire = tag >> 3, tag & 7
            if number == 0:
                raise NotOnnx("is not protobuf")
            if wire == _VARINT:
                value, at = self._varint(at, end)
                yield number, wire, value, value
                continue
            if wire == _BYTES:
                length, at = self._varint(at, end)
            elif wire in (_FIXED32, _FIXED64):
                length = 4 if wire == _FIXED32 else 8
            else:
                raise NotOnnx("is not protobuf")
            if at + length > end:
                raise NotOnnx("is cut short")
            yield number, wire, at, at + length
            at += length

    def _varint(self, at: int, end: int) -> Tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            byte = self.handle.read(1)
            if not byte:
                break
            at += 1
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                return value, at
            shift += 7
        raise NotOnnx("is cut short")

    def graph(self, start: int, end: int, depth: int, node: int = 1) -> None:
        """Look through a graph (or, with another number for its nodes, a function) for tensors that lie elsewhere."""
        if depth > _DEPTH:
            raise NotOnnx("is nested too deeply")
        for number, wire, begin, stop in self.fields(start, end):
            if wire != _BYTES:
                continue
            if number == node:
                self._node(begin, stop, depth)
            elif node == 1 and number == 5:
                self._tensor(begin, stop)
            elif node == 1 and number == 15:     # sparse_initializer: values = 1, indices = 2
                for part, kind, first, last in self.fields(begin, stop):
                    if kind == _BYTES and part in (1, 2):
                        self._tensor(first, last)

    def _node(self, start: int, end: int, depth: int) -> None:
        for number, wire, begin, stop in self.fields(start, end):
            if number != 5 or wire != _BYTES:
                continue
            for part, kind, first, last in self.fields(begin, stop):
                if kind == _BYTES and part in (5, 10):
                    self._tensor(first, last)
                elif kind == _BYTES and part in (6, 11):
                    self.graph(first, last, depth + 1)

    def _tensor(self, start: int, end: int) -> None:
        for number, _wire, begin, _stop in self.fields(start, end):
            if number == 13 or (number == 14 and begin == 1):
                raise NotOnnx("takes tensors from outside of its file (external data)")


def check(handle: BinaryIO, size: int) -> None:
    """Raise NotOnnx unless the file is an ONNX model that holds all its data itself."""
    walk, seen = _Walk(handle), set()
    for number, wire, start, end in walk.fields(0, size):
        if number not in _MODEL_FIELDS:
            raise NotOnnx("is not an ONNX model")
        seen.add(number)
        if number == _GRAPH and wire == _BYTES:
            walk.graph(start, end, 0)
        elif number == _FUNCTIONS and wire == _BYTES:
            walk.graph(start, end, 0, node=7)
    if not {_IR_VERSION, _GRAPH, _OPSET} <= seen:
        raise NotOnnx("is not an ONNX model")
