# Calls remove.bg's API and that of `rembg s` as their callers do in Python. The names lead to the gateway under test; TLS
# still asks for the real name.
import base64
import json
import os
import socket
import sys

import removebg.removebg
import requests
from removebg import RemoveBg

told = json.load(sys.stdin)
look_up = socket.getaddrinfo


def to_the_gateway(host, port, *rest, **named):
    if host == "api.remove.bg":
        host, port = "127.0.0.1", told["port"]
    return look_up(host, port, *rest, **named)


socket.getaddrinfo = to_the_gateway
os.chdir(told["folder"])
key, path = told["key"], told["path"]
picture = open(path, "rb").read()

# The package on PyPI, untouched.
client = RemoveBg(key, "error.log")
client.remove_background_from_img_file(path)
client.remove_background_from_img_file(path, size="auto", bg_color="red")
client.remove_background_from_base64_img(base64.b64encode(picture).decode(), new_file_name="from-base64.png")
made = [open(name, "rb").read() for name in (path + "_no_bg.png", "from-base64.png")]
try:
    RemoveBg("7b1ff8b0-6f2c-4f47-9d6e-6a2a8ff0c0de", "error.log").remove_background_from_img_file(path)
    refused = None
except requests.HTTPError as error:
    refused = error.response.status_code

# With the one line that docs/removebg.md says.
at_remove_bg, removebg.removebg.API_ENDPOINT = removebg.removebg.API_ENDPOINT, told["removebg"]
client.remove_background_from_base64_img(base64.b64encode(picture).decode(), new_file_name="one-line.png")
made.append(open("one-line.png", "rb").read())
removebg.removebg.API_ENDPOINT = at_remove_bg

# The published sample.
response = requests.post(
    "https://api.remove.bg/v1.0/removebg",
    files={"image_file": open(path, "rb")},
    data={"size": "auto"},
    headers={"X-Api-Key": key},
)
assert response.status_code == requests.codes.ok, response.text
made.append(response.content)

# What the documentation of rembg says to send to its server.
response = requests.post(told["rembg"], files={"file": open(path, "rb")}, headers={"x-api-key": key})
assert response.status_code == 200, response.text
made.append(response.content)
response = requests.post(
    told["rembg"],
    files={"file": open(path, "rb")},
    data={"model": "u2net", "a": "true", "om": "false"},
    headers={"Authorization": f"Bearer {key}"},
)
assert response.status_code == 200, response.text
made.append(response.content)
print(json.dumps({"made": [base64.b64encode(one).decode() for one in made], "refused": refused}))
