#!/usr/bin/env python3
"""Computes IKEv2's keys apart from the crate: prints keys.txt, which tests/keys.rs compares with.

Needs the standard library, and `cryptography` for AES. Everything is written down from the formulas of
RFC 7296 (2.13 to 2.18, 2.23), RFC 4434, RFC 4615, RFC 8784 (3), RFC 9242 (3.3.2) and RFC 9370 (2.2.2, 2.2.4).
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC


def block(key, data):
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(data)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def xcbc(key, data):
    k1, k2, k3 = (block(key, bytes([n]) * 16) for n in (1, 2, 3))
    blocks = [data[i : i + 16] for i in range(0, len(data), 16)] or [b""]
    state = bytes(16)
    for b in blocks[:-1]:
        state = block(k1, xor(state, b))
    last = blocks[-1]
    if len(last) == 16:
        return block(k1, xor(xor(state, last), k2))
    last = last + b"\x80" + bytes(15 - len(last))
    return block(k1, xor(xor(state, last), k3))


def cmac(key, data):
    c = CMAC(algorithms.AES(key))
    c.update(data)
    return c.finalize()


def aes_prf(mac, key, data):
    if mac is cmac and len(key) != 16:
        key = mac(bytes(16), key)
    elif mac is xcbc:
        key = mac(bytes(16), key) if len(key) > 16 else key + bytes(16 - len(key))
    return mac(key, data)


PRFS = {
    2: lambda k, d: hmac.new(k, d, hashlib.sha1).digest(),
    5: lambda k, d: hmac.new(k, d, hashlib.sha256).digest(),
    6: lambda k, d: hmac.new(k, d, hashlib.sha384).digest(),
    7: lambda k, d: hmac.new(k, d, hashlib.sha512).digest(),
    4: lambda k, d: aes_prf(xcbc, k, d),
    8: lambda k, d: aes_prf(cmac, k, d),
}


def prf_plus(prf, key, seed, length):
    out, last, n = b"", b"", 1
    while len(out) < length:
        last = prf(key, last + seed + bytes([n]))
        out += last
        n += 1
    return out[:length]


def octets(label, length):
    """Octets that look random, from a label."""
    return hashlib.shake_256(label.encode()).digest(length)


def cut(material, lengths):
    parts = []
    for length in lengths:
        parts.append(material[:length])
        material = material[length:]
    return parts


def keys(prf, seed, nonces, spis, integrity, encryption):
    length = len(prf(b"0" * 16, b""))
    lengths = [length, integrity, integrity, encryption, encryption, length, length]
    material = prf_plus(prf, seed, nonces + spis, sum(lengths))
    return dict(zip(["d", "ai", "ar", "ei", "er", "pi", "pr"], cut(material, lengths)))


def show(name, value):
    print(f"{name} = {value.hex()}")


def show_keys(name, found):
    for part, value in found.items():
        show(f"{name}.{part}", value)


def message(next_payload, flags, number, inner_first, inner):
    """The A and P of an IKE_INTERMEDIATE message without payloads in clear."""
    head = octets("spi i", 8) + octets("spi r", 8)
    head += bytes([next_payload, 0x20, 43, flags]) + number.to_bytes(4, "big")
    head += (28 + 4 + len(inner)).to_bytes(4, "big")
    return head + bytes([inner_first, 0]) + (4 + len(inner)).to_bytes(2, "big") + inner


def case(prf_id):
    prf = PRFS[prf_id]
    print(f"prf = {prf_id:04x}")
    # Lengths that are no multiple of anything.
    ni, nr = octets(f"ni {prf_id}", 32), octets(f"nr {prf_id}", 57)
    spis = octets("spi i", 8) + octets("spi r", 8)
    shared = [octets(f"shared {n}", length) for n, length in enumerate((32, 32, 66))]
    ppk = octets("ppk", 41)
    show("ni", ni)
    show("nr", nr)
    show("spii", spis[:8])
    show("spir", spis[8:])
    for n, value in enumerate(shared):
        show(f"shared{n}", value)
    show("ppk", ppk)

    key = ni[:8] + nr[:8] if prf_id in (4, 8) else ni + nr
    first = prf(key, shared[0])
    # AES-GCM with 256 bits: key and salt.
    gcm = keys(prf, first, ni + nr, spis, 0, 36)
    show_keys("gcm", gcm)
    # AES-CBC with 128 bits and HMAC-SHA-384.
    cbc = keys(prf, first, ni + nr, spis, 48, 16)
    show_keys("cbc", cbc)

    # Two additional key exchanges.
    once = keys(prf, prf(gcm["d"], shared[1] + ni + nr), ni + nr, spis, 0, 36)
    show_keys("once", once)
    twice = keys(prf, prf(once["d"], shared[2] + ni + nr), ni + nr, spis, 0, 36)
    show_keys("twice", twice)

    # The IKE SA replaced, by one whose PRF is HMAC-SHA-256.
    new_spis = octets("new spi i", 8) + octets("new spi r", 8)
    show("newspii", new_spis[:8])
    show("newspir", new_spis[8:])
    seed = prf(gcm["d"], shared[0] + ni + nr)
    show_keys("rekeyed", keys(PRFS[5], seed, ni + nr, new_spis, 0, 36))
    seed = prf(gcm["d"], shared[0] + ni + nr + shared[1] + shared[2])
    show_keys("rekeyed3", keys(PRFS[5], seed, ni + nr, new_spis, 0, 36))

    # Children: AES-CBC-256 with HMAC-SHA-256, then AES-GCM-128.
    for name, before, after in (
        ("child", b"", b""),
        ("pfs", shared[0], b""),
        ("pfs3", shared[0], shared[1] + shared[2]),
    ):
        seed = before + ni + nr + after
        parts = cut(prf_plus(prf, gcm["d"], seed, 128), [32, 32, 32, 32])
        for part, value in zip(("ei", "ai", "er", "ar"), parts):
            show(f"{name}.cbc.{part}", value)
        parts = cut(prf_plus(prf, gcm["d"], seed, 40), [20, 20])
        for part, value in zip(("ei", "er"), parts):
            show(f"{name}.gcm.{part}", value)

    # A post-quantum preshared key.
    for part in ("d", "pi", "pr"):
        show(f"ppk.{part}", prf_plus(prf, ppk, gcm[part], len(gcm[part])))

    # Two IKE_INTERMEDIATE exchanges, of which the first had a key exchange: nonce payloads inside.
    inner = [b"\0\0\0\x24" + octets(f"inner {n}", 32) for n in range(4)]
    for n, value in enumerate(inner):
        show(f"inner{n}", value[4:])
    chain = {}
    for n, found in ((0, gcm), (1, once)):
        for side, flags in (("i", 0x08), ("r", 0x20)):
            text = message(46, flags, n + 1, 40, inner[2 * n + (side == "r")])
            chain[side] = prf(found["p" + side], chain.get(side, b"") + text)
    intauth = chain["i"] + chain["r"] + (3).to_bytes(4, "big")
    show("intauth", intauth)

    # AUTH of the initiator with a shared secret.
    init, identity, psk = octets("init", 200), octets("id", 19), octets("psk", 23)
    show("init", init)
    show("id", identity)
    show("psk", psk)
    for name, found, tail in (("plain", gcm, b""), ("intermediate", twice, intauth)):
        signed = init + nr + prf(found["pi"], identity) + tail
        show(f"{name}.signed", signed)
        show(f"{name}.auth", prf(prf(psk, b"Key Pad for IKEv2"), signed))
    print()


for number in PRFS:
    case(number)
