# Forms that try to say one thing to the gateway and another to the backend. `send` sends them and checks the answers;
# `read` reads with werkzeug what came through and checks that it is what the contract (section 1) says. The expected
# answers are computed here once more, from the contract's words and from the parts as they were composed.
import json
import pathlib
import random
import re
import sys

import requests
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, Preamble

FORMS = 250
KNOWN = {"w": "5", "h": "0", "angle": "-3.5", "format": "PNG", "bg_color": "red", "mask": "no", "exact_resize": "", "expand": "off"}
BOUNDARY = "-hostile-"
ALPHABET = "wW5.-_ []%\"\\;='?/é中\u0430\u202e\ufeff😀"
HIDDEN = "\x01\t\x7f\x85\x9f\u2028\u2029"


def text_of(chance, longest=8):
    letters = [chance.choice(ALPHABET) for _ in range(chance.randrange(longest))]
    if chance.random() < 0.08:
        letters.insert(chance.randrange(len(letters) + 1), chance.choice(HIDDEN))
    return "".join(letters)


def name_of(chance):
    known = chance.choice([*KNOWN, "image"])
    kind = chance.randrange(6)
    if kind == 0:
        return known
    if kind == 1:
        return chance.choice([known.upper(), ".".join(known), known.replace("_", "-") + ".", f"_{known}"])
    if kind == 2:
        return chance.choice([f" {known}", f"{known}[]", f"{known} ", known + chance.choice(HIDDEN), f"{known}\"", f"%{ord(known[0]):x}{known[1:]}"])
    if kind == 3:
        return text_of(chance)
    return chance.choice(["return_base64", "x", "x-1", "n" * 64, "n" * 65, "", "_", "file"])


def composed(number):
    """The parts of a form: name, file name or None, how they are written, value."""
    chance = random.Random(f"form {number}")

    def part():
        name = name_of(chance)
        filename = text_of(chance) if chance.random() < 0.3 else None
        value = b" %s\n" % KNOWN[name].encode() if KNOWN.get(name) else chance.randbytes(chance.randrange(12))
        return name, filename, chance.choice(["plain", "word", "both", "folded"]), b"" if name == "exact_resize" else value

    image = ("image", text_of(chance, 12) + ".png", chance.choice(["plain", "word", "star", "both", "folded"]), picture(number))
    before = [one for one in (part() for _ in range(chance.randrange(5))) if one[0] != "image" or one[1] is None]
    return [*before, image, *(part() for _ in range(chance.randrange(5)))]


def picture(number):
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x06\0\0\0 form %06d." % number


def written(parts):
    def quoted(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def word(text):
        return '"=?UTF-8?Q?' + "".join(f"={byte:02X}" for byte in text.encode()) + '?="'

    def star(text):
        return "UTF-8''" + "".join(f"%{byte:02x}" for byte in text.encode())

    body = b""
    for name, filename, how, value in parts:
        spelled = word if how in ("word", "both") else quoted
        pieces = ["form-data", f"name={spelled(name)}"]
        if filename is not None and how != "star":
            pieces.append(f"filename={spelled(filename)}")
        if filename is not None and how in ("star", "both"):
            pieces.append(f"filename*={star(filename)}")
        disposition = ("; " if how != "folded" else ";\r\n\t").join(pieces)
        head = f"Content-Disposition: {disposition}\r\nContent-Type: application/octet-stream"
        body += f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + value + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def expected(parts):
    """What is sent on, as (name, file name, value); None if the form is malformed."""
    hidden = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")
    if any(hidden.search(name) or hidden.search(filename or "") for name, filename, _, _ in parts):
        return None

    def bare(name):
        return re.sub("[_.-]", "", name.lower())

    sent, seen = [], set()
    for name, filename, how, value in parts:
        if name == "image" and filename is None or name in seen:
            continue
        if name in KNOWN or name == "image":
            seen.add(name)
        if name == "image":
            # Browsers' way to write a quote is undone by werkzeug; a backslash is written likewise, and stays.
            sent.append((name, filename.replace("%22", '"').replace("\\", "%5C"), value))
        elif name in KNOWN:
            if value.strip():
                sent.append((name, None, value.strip()))
        elif filename is None and re.fullmatch("[A-Za-z0-9_.-]{1,64}", name):
            if bare(name) not in map(bare, [*KNOWN, "image"]):
                sent.append((name, None, value))
    return sent


def read_by_werkzeug(content_type, body):
    decoder = MultipartDecoder(re.fullmatch("multipart/form-data; boundary=(.*)", content_type)[1].encode())
    decoder.receive_data(body)
    decoder.receive_data(None)
    parts = []
    while not isinstance(event := decoder.next_event(), Epilogue):
        if isinstance(event, (Field, File)):
            parts.append([event.name, getattr(event, "filename", None), b""])
        elif isinstance(event, Data):
            parts[-1][2] += event.data
        else:
            assert isinstance(event, Preamble), event
    return [tuple(part) for part in parts]


def send(url, key):
    session, accepted, wrong = requests.Session(), 0, []
    headers = {"x-api-key": key, "content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    for number in range(FORMS):
        parts = composed(number)
        answer = session.post(f"{url}/rmbg", headers=headers, data=written(parts))
        error = None if answer.ok else answer.json()["error"]
        if expected(parts) is not None:
            accepted += 1
            right = answer.status_code == 200
        else:
            right = (answer.status_code, error) == (400, "Malformed multipart/form-data body")
        if not right:
            wrong.append([number, answer.status_code, error, repr(parts)])
    usage = session.get(f"{url}/api/membership-usage", headers={"x-api-key": key}).json()
    return {"accepted": accepted, "refused": FORMS - accepted, "used": usage["api_usage"], "wrong": wrong}


def read(folder):
    numbers, wrong = set(), []
    for body in pathlib.Path(folder).glob("*.body"):
        content_type, raw = body.with_suffix(".type").read_text(), body.read_bytes()
        number = int(re.search(rb" form (\d{6})\.", raw)[1])
        numbers.add(number)
        came, meant = read_by_werkzeug(content_type, raw), expected(composed(number))
        if came != meant:
            wrong.append([number, repr(came), repr(meant)])
    return {"read": len(numbers), "wrong": wrong}


json.dump({"send": send, "read": read}[sys.argv[1]](*sys.argv[2:]), sys.stdout)
