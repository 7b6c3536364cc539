"""Seals and opens packets with scapy: one request a line, one answer a line.

Request: op protocol cipher cipher-key code code-key mode outer-family inner udp esn sequence packet
("-" for what is not there; keys and packets in hexadecimal digits).
Answer: the packet, or "error" and why.
"""
import sys

from scapy.config import conf
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH, ESP, SecurityAssociation

conf.verb = 0


def octets(digits):
    return None if digits == "-" else bytes.fromhex(digits)


def packet(data):
    return IPv6(data) if data[0] >> 4 == 6 else IP(data)


def answer(words):
    op, protocol, cipher, cipher_key, code, code_key, mode, outer, udp, esn, sequence, data = words
    keys = {}
    if cipher != "-":
        keys.update(crypt_algo=cipher, crypt_key=octets(cipher_key))
    if code != "-":
        keys.update(auth_algo=code, auth_key=octets(code_key))
    if mode == "tunnel":
        keys["tunnel_header"] = (
            IPv6(src="2001:db8::a", dst="2001:db8::b") if outer == "6" else IP(src="192.0.2.1", dst="198.51.100.2")
        )
    if udp != "-":
        keys["nat_t_header"] = UDP(sport=4500, dport=int(udp))
    number = int(sequence)
    extended = esn == "1"
    if extended:
        keys.update(esn_en=True, esn=number >> 32)
    sa = SecurityAssociation(
        {"esp": ESP, "ah": AH}[protocol], spi=0xC0DE1234, seq_num=number & 0xFFFFFFFF, **keys
    )
    given = packet(octets(data))
    if op == "seal":
        made = sa.encrypt(given)
    else:
        made = sa.decrypt(given)
    return bytes(made).hex()


for line in sys.stdin:
    try:
        print(answer(line.split()), flush=True)
    except Exception as error:  # The caller tells it.
        print("error", type(error).__name__, str(error).replace("\n", " "), flush=True)
