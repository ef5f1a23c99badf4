"""Bodies of all kinds, as they are sent and as each version of the specification writes them into a pact."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

V1, V2, V3, V4 = "1.0.0", "2.0.0", "3.0.0", "4.0"


@dataclass(frozen=True)
class Content:
    """A body and its content type."""

    content_type: str
    sent: bytes
    is_binary: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": self.content_type}

    def in_pact(self, version: str) -> Any:
        """Return what stands for it in a pact of this version."""
        written: Any = json.loads(self.sent) if self.content_type.endswith("json") else None
        if self.is_binary:
            written = base64.b64encode(self.sent).decode()
        elif written is None:
            written = self.sent.decode()
        if version != V4:
            return written
        return {
            "content": written,
            "contentType": self.content_type,
            "encoded": "base64" if self.is_binary else False,
        }


def as_json(value: Any, content_type: str = "application/json") -> Content:
    return Content(content_type, json.dumps(value).encode())


def as_text(text: str) -> Content:
    return Content("text/plain", text.encode())


def as_xml(markup: str) -> Content:
    return Content("application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{markup}'.encode())


def as_form(pairs: str) -> Content:
    return Content("application/x-www-form-urlencoded", pairs.encode())


def as_binary(sent: bytes, content_type: str = "application/octet-stream") -> Content:
    return Content(content_type, sent, is_binary=True)


def png(grey: int) -> bytes:
    """Return a picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixel = zlib.compress(bytes([0, grey]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


PDF = (
    b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
)
BOUNDARY = "a7f3c0de51"


def as_multipart(*parts: tuple[str, str]) -> Content:
    """Make a multipart body of content types and texts; MIME ends lines with CRLF."""
    lines = [f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts]
    return Content(f"multipart/mixed; boundary={BOUNDARY}", ("".join(lines) + f"--{BOUNDARY}--\r\n").encode())
