#!/usr/bin/env python3
"""Writes symmetric.txt: known answers of OpenSSL (by the Python package `cryptography`) for what the published
lists leave out: CCM with the nonce of 11 octets that ESP and IKE use, and truncated tags of GCM.

    python3 make.py > symmetric.txt
"""
import random

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

rng = random.Random(4309)
octets = lambda n: rng.randbytes(n)
lengths = [(0, 0), (0, 8), (1, 8), (15, 12), (16, 8), (17, 0), (64, 12), (257, 8), (1408, 12)]

print("# Known answers of OpenSSL through the Python package cryptography; written by make.py.")
print("# algorithm key nonce aad plaintext ciphertext tag, in hexadecimal; - is nothing")
show = lambda b: b.hex() or "-"
for bits in (128, 192, 256):
    for tag in (8, 12, 16):
        for data, aad in lengths:
            key, nonce, aad, data = octets(bits // 8), octets(11), octets(aad), octets(data)
            sealed = AESCCM(key, tag_length=tag).encrypt(nonce, data, aad)
            print(f"aes{bits}-ccm{tag}", *map(show, (key, nonce, aad, data, sealed[:-tag], sealed[-tag:])))
    for tag in (8, 12, 16):
        for data, aad in lengths:
            key, nonce, aad, data = octets(bits // 8), octets(12), octets(aad), octets(data)
            gcm = Cipher(algorithms.AES(key), modes.GCM(nonce, min_tag_length=8)).encryptor()
            gcm.authenticate_additional_data(aad)
            sealed = gcm.update(data) + gcm.finalize()
            print(f"aes{bits}-gcm{tag}", *map(show, (key, nonce, aad, data, sealed, gcm.tag[:tag])))
