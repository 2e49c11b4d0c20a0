"""Makes the colour profiles beside this file, and prints what LittleCMS makes of some colours by them.

The profiles are written here from their published numbers, and LittleCMS (through Pillow) knows nothing of the library
that the gateway converts with: src/picture/colour_space/tests.rs compares the two. Needs Pillow.
"""

import io
import struct
from pathlib import Path

from PIL import Image, ImageCms

HERE = Path(__file__).parent
D50 = (0.9642, 1.0, 0.8249)
# Red, green and blue of Display P3 in XYZ, adapted to D50.
DISPLAY_P3 = [(0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)]


def fixed(value):
    return struct.pack(">i", round(value * 65536))


def xyz(values):
    return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))


def srgb_curve():
    """The curve of sRGB, which Display P3 shares: (a x + b)^g above d, c x below."""
    return b"para\0\0\0\0\0\3\0\0" + b"".join(map(fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))


def gamma_curve(gamma):
    return b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(gamma * 256)) + b"\0\0"


def description(text):
    return b"mluc\0\0\0\0\0\0\0\1\0\0\0\x0cenUS" + struct.pack(">II", 2 * len(text), 28) + text.encode("utf-16-be")


def profile(space, name, tags):
    tags = {b"desc": description(name), b"cprt": description("CC0"), b"wtpt": xyz(D50), **tags}
    at = 128 + 4 + 12 * len(tags)
    table, data = b"", b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", at + len(data), len(value))
        data += value + b"\0" * (-len(value) % 4)
    head = b"\0\0\0\0" + b"\4\x30\0\0" + b"mntr" + space + b"XYZ " + b"\7\xe9\0\1\0\1\0\0\0\0\0\0" + b"acsp" + b"\0" * 28
    head += b"".join(map(fixed, D50)) + b"\0" * 48
    return struct.pack(">I", at + len(data)) + head + struct.pack(">I", len(tags)) + table + data


def in_srgb(profile_bytes, mode, colours):
    picture = Image.new(mode, (len(colours), 1))
    picture.putdata(colours)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
    converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return list(converted.getdata())


def main():
    curve = srgb_curve()
    names = (b"rXYZ", b"rTRC"), (b"gXYZ", b"gTRC"), (b"bXYZ", b"bTRC")
    tags = {}
    for (place, tone), primary in zip(names, DISPLAY_P3):
        tags |= {place: xyz(primary), tone: curve}
    wide = profile(b"RGB ", "Display P3", tags)
    grey = profile(b"GRAY", "Grey, gamma 1.8", {b"kTRC": gamma_curve(1.8)})
    (HERE / "display-p3.icc").write_bytes(wide)
    (HERE / "grey-gamma-1.8.icc").write_bytes(grey)
    colours = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 100, 50), (50, 160, 90), (70, 90, 180), (230, 180, 170),
               (255, 0, 0), (0, 255, 0)]
    for colour, becomes in zip(colours, in_srgb(wide, "RGB", colours)):
        print("P3  ", colour, "->", becomes)
    shades = [0, 20, 64, 128, 200, 255]
    for shade, becomes in zip(shades, in_srgb(grey, "L", shades)):
        print("grey", shade, "->", becomes)


if __name__ == "__main__":
    main()
