# An upload of unknown length in pieces of one byte.
import sys

import requests

url, key, path = sys.argv[1:]
boundary = "of-one-byte-pieces"
with open(path, "rb") as file:
    image = file.read()
body = (
    f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="image.jpg"\r\n\r\n'.encode()
    + image
    + f"\r\n--{boundary}--\r\n".encode()
)
headers = {"x-api-key": key, "content-type": f"multipart/form-data; boundary={boundary}"}
response = requests.post(url, headers=headers, data=(bytes([byte]) for byte in body))
print(response.status_code, response.headers["content-type"])
