#!/usr/bin/env python3
"""Makes the captures of this folder and the records expected of them.

usage: make.py [OUTPUT-DIRECTORY]

Run as root. Needs Python's scapy and aioquic, and the programs ip, ethtool, tcpdump, openssl (3.0 or later),
ssh, sshd, ssh-keygen and curl. Programs talk to each other between two network namespaces
while tcpdump listens; the rest is built with scapy. What is expected of a capture is taken from
what the programs say of their own connection, or from what was deliberately built wrong. Keys,
randoms and times differ from run to run, so the files do too.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from scapy.all import (
    GRE, ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN, Raw,
    fragment, rdpcap, wrpcap,
)
from scapy.layers.vxlan import VXLAN

CLIENT, SERVER = "10.77.0.1", "10.77.0.2"
CLIENT6, SERVER6 = "fd77::1", "fd77::2"
NAME = "www.lab.example"
NS_CLIENT, NS_SERVER = f"hwc{os.getpid()}", f"hws{os.getpid()}"
OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(__file__)).resolve()


def sh(*args, **kwargs):
    """Runs a program to its end and gives what it said."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=30, **kwargs)
    return done.stdout.decode(errors="replace")


def must(*args, **kwargs):
    """The same, for a program that must succeed."""
    return subprocess.run([str(a) for a in args], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=30, **kwargs).stdout.decode()


def on(namespace, *args):
    return ["ip", "netns", "exec", namespace, *map(str, args)]


@contextlib.contextmanager
def running(*args, wait=0.6, log=subprocess.DEVNULL, **kwargs):
    """A program that runs beside the others."""
    process = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=log,
                               stderr=log, **kwargs)
    time.sleep(wait)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def capture(name, expression="tcp"):
    path = OUT / f"{name}.pcap"
    with running(*on(NS_SERVER, "tcpdump", "-Z", "root", "-q", "-n", "-U", "--immediate-mode",
                     "-s", "0", "-i", "v1", "-w", path, expression)):
        yield path
        time.sleep(0.5)


def expect(name, lines):
    with open(OUT / f"{name}.expected.jsonl", "w") as f:
        for line in lines:
            f.write(json.dumps(line) + "\n")


# ---- TLS ------------------------------------------------------------------------------------

def certificate(folder, name, subject, *signer):
    must("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt", "-subj",
         subject, "-days", "7300", "-addext", f"subjectAltName=DNS:{NAME}", *signer)


def certificate_fields(path):
    text = must("openssl", "x509", "-in", path, "-noout", "-subject", "-serial", "-enddate",
                "-nameopt", "RFC2253", "-dateopt", "iso_8601")
    field = lambda key: re.search(rf"^{key}=(.*)$", text, re.M).group(1)
    return {
        "server_cert_subject": field("subject"),
        "server_cert_serial": field("serial"),
        "server_cert_not_after": field("notAfter").replace(" ", "T"),
    }


def iana_names():
    names = {}
    for line in must("openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").splitlines():
        iana, _, name = line.split()[:3]
        names[name] = names[iana] = iana
    return names


GROUPS = {"X25519": "x25519", "X448": "x448", "prime256v1": "secp256r1", "secp384r1": "secp384r1"}


def s_client_line(text, port, dport, certificate_path, src=CLIENT, dst=SERVER):
    """The record of a connection, from what s_client said of it."""
    how, version, cipher = re.search(r"^(New|Reused), (\S+), Cipher is (\S+)$", text, re.M).groups()
    # The version in that line is the one the suite dates from; the session tells its own.
    session = re.search(r"^\s*Protocol *: (\S+)$", text, re.M)
    version = session.group(1) if session else version
    line = {
        "type": "zert", "proto": "tls", "src": src, "sport": port, "dst": dst, "dport": dport,
        "version": version, "cipher": iana_names()[cipher], "sni": NAME,
        "resumed": how == "Reused", "established": True, "failed": False,
    }
    key = re.search(r"^Server Temp Key: (?:ECDH, )?([^,]+),", text, re.M)
    if key:
        line |= {"group": GROUPS[key.group(1)], "pq": "classical"}
    if version == "TLSv1.2" and how == "New":
        line |= certificate_fields(certificate_path)
    if version == "TLSv1.3":
        # The certificates of TLS 1.3 are encrypted.
        line |= {"server_cert_subject": None, "server_cert_serial": None}
    return line


def s_client(port, dport, *options, to=SERVER, bind=CLIENT, says=b"GET / HTTP/1.0\r\n\r\n"):
    target, source = (f"[{a}]" if ":" in a else a for a in (to, bind))
    command = on(NS_CLIENT, "openssl", "s_client", "-connect", f"{target}:{dport}", "-bind",
                 f"{source}:{port}", "-servername", NAME, *options)
    # Nobody tells the end of a connection over datagrams: it is that of the input.
    command += [] if any("dtls" in str(o) for o in options) else ["-ign_eof"]
    return subprocess.run(command, input=says, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=10).stdout.decode(errors="replace")


def s_server(folder, port, *options, **more):
    return running(*on(NS_SERVER, "openssl", "s_server", "-accept", port, "-cert",
                       folder / "server.crt", "-key", folder / "server.key", "-www", *options),
                   cwd=folder, **more)


def failed_line(text, port, dport, sender):
    """The record of a handshake that one side refused with an alert, from what the other said."""
    desc = re.search(r"(?:tlsv1|sslv3) alert ([a-z ]+):", text).group(1)
    # As RFC 8446 appendix B.2 spells it.
    desc = desc.replace(" ", "_")
    return {
        "type": "zert", "proto": "tls", "src": CLIENT, "sport": port, "dst": SERVER,
        "dport": dport, "sni": NAME, "failed": True, "established": False,
        "alerts": [{"from": sender, "level": "fatal", "desc": desc, "post_ccs": False}],
    }


def tls(folder):
    leaf = folder / "server.crt"
    for number, version in ((1, "tls1_2"), (2, "tls1_3")):
        name = version.replace("tls1_", "tls1")
        port = 40000 + number * 10
        with capture(name), s_server(folder, 4430 + number, f"-{version}"):
            text = s_client(port, 4430 + number, f"-{version}")
            lines = [s_client_line(text, port, 4430 + number, leaf)]
        expect(name, lines)

        name += "-resumption"
        session = folder / f"{name}.session"
        # Only the application data of the first connection brings the tickets of TLS 1.3.
        with capture(name), s_server(folder, 4440 + number, f"-{version}"):
            first = s_client(port + 1, 4440 + number, f"-{version}", "-sess_out", session)
            second = s_client(port + 2, 4440 + number, f"-{version}", "-sess_in", session)
            assert "\nReused, " in second, second
            lines = [s_client_line(first, port + 1, 4440 + number, leaf),
                     s_client_line(second, port + 2, 4440 + number, leaf)]
        expect(name, lines)

    with capture("tls12-client-certificate"), \
            s_server(folder, 4450, "-tls1_2", "-Verify", "1", "-CAfile", folder / "client.crt"):
        text = s_client(40050, 4450, "-tls1_2", "-cert", folder / "client.crt", "-key",
                        folder / "client.key")
        line = s_client_line(text, 40050, 4450, leaf)
        subject = certificate_fields(folder / "client.crt")["server_cert_subject"]
        line |= {"client_cert_requested": True, "client_cert_sent": True,
                 "client_cert_subject": subject}
    expect("tls12-client-certificate", [line])

    with capture("tls-failed"):
        with open(folder / "server.log", "w") as log, s_server(folder, 4460, "-tls1_2", log=log):
            refused = s_client(40060, 4460, "-tls1_3")
            before = os.path.getsize(folder / "server.log")
            s_client(40061, 4460, "-tls1_2", "-verify_return_error")
        distrusted = (folder / "server.log").read_text()[before:]
        lines = [failed_line(refused, 40060, 4460, "server"),
                 failed_line(distrusted, 40061, 4460, "client")]
    expect("tls-failed", lines)

    with capture("tls13-ipv6"), s_server(folder, 4470, "-tls1_3", "-6"):
        text = s_client(40070, 4470, "-tls1_3", to=SERVER6, bind=CLIENT6)
        line = s_client_line(text, 40070, 4470, leaf, CLIENT6, SERVER6)
    expect("tls13-ipv6", [line])


# ---- beyond TCP -----------------------------------------------------------------------------

def dtls(folder):
    leaf = folder / "server.crt"
    with capture("dtls", "udp"):
        with s_server_udp(folder, 4480, "-dtls1_2"):
            text = s_client(40080, 4480, "-dtls1_2", says=b"hello\n")
        line = s_client_line(text.replace("DTLSv1.2", "TLSv1.2"), 40080, 4480, leaf)
        line |= {"proto": "dtls", "version": "DTLSv1.2"}
        with s_server_udp(folder, 4481, "-dtls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"):
            refused = s_client(40081, 4481, "-dtls1_2", "-cipher",
                               "ECDHE-ECDSA-CHACHA20-POLY1305")
        lines = [line, failed_line(refused, 40081, 4481, "server") | {"proto": "dtls"}]
        # Nothing ends a flow of UDP: it is open when the capture ends, but the alert is fatal.
    expect("dtls", lines)


def s_server_udp(folder, port, *options):
    # s_server of DTLS ends with its input, and the client needs some.
    server = f"sleep 4 | openssl s_server -accept {port} -cert server.crt -key server.key"
    return running(*on(NS_SERVER, "bash", "-c", " ".join([server, *options])), cwd=folder)


QUIC_PAIR = r"""
import asyncio, ssl, sys
from aioquic.asyncio import connect, serve
from aioquic.quic.configuration import QuicConfiguration
role, address, port, version = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4], 0)
config = QuicConfiguration(is_client=role == "client", alpn_protocols=["lab"],
                           supported_versions=[version], verify_mode=ssl.CERT_NONE)
async def client():
    config.server_name = sys.argv[5]
    async with connect(address, port, configuration=config, local_port=int(sys.argv[6])) as peer:
        await peer.ping()
        tls = peer._quic.tls
        print("told", peer._quic._version, tls.key_schedule.cipher_suite.name, tls.session_resumed)
async def server():
    config.load_cert_chain(sys.argv[5], sys.argv[6])
    await serve(address, port, configuration=config)
    await asyncio.Event().wait()
asyncio.run(client() if role == "client" else server())
"""


def quic(folder):
    lines = []
    with capture("quic", "udp"):
        for number, version in enumerate((0x00000001, 0x6B3343CF)):
            port, dport = 40090 + number, 4490 + number
            pair = [sys.executable, "-c", QUIC_PAIR]
            with running(*on(NS_SERVER, *pair, "server", SERVER, dport, version,
                             folder / "server.crt", folder / "server.key"), wait=2):
                text = sh(*on(NS_CLIENT, *pair, "client", SERVER, dport, version, NAME, port))
            told, cipher, resumed = re.search(r"^told (\d+) (\S+) (\S+)$", text, re.M).groups()
            lines.append({
                "type": "zert", "proto": "quic", "src": CLIENT, "sport": port, "dst": SERVER,
                "dport": dport, "quic_version": f"{int(told):#010x}", "version": "TLSv1.3",
                "cipher": f"TLS_{cipher}".replace("TLS_TLS_", "TLS_"), "sni": NAME,
                "resumed": resumed == "True", "established": True, "failed": False, "alpn": None,
                "server_cert_subject": None,
            })
    expect("quic", lines)


def wireguard():
    """Messages in the form of the protocol; what is encrypted in them is noise."""
    def packet(n, ours, payload):
        ends = (CLIENT, SERVER) if ours else (SERVER, CLIENT)
        ports = (40100, 51820) if ours else (51820, 40100)
        p = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=ends[0], dst=ends[1]) \
            / UDP(sport=ports[0], dport=ports[1]) / Raw(payload)
        p.time = 1_700_000_000 + n / 10
        return p
    client, server = b"\x0a\x0b\x0c\x0d", b"\x1a\x1b\x1c\x1d"
    data = lambda to: b"\x04\0\0\0" + to + os.urandom(8 + 96)
    packets = [
        packet(0, True, b"\x01\0\0\0" + client + os.urandom(140)),
        packet(1, False, b"\x02\0\0\0" + server + client + os.urandom(80)),
        packet(2, True, data(server)),
        packet(3, False, data(client)),
    ]
    wrpcap(str(OUT / "wireguard.pcap"), packets, linktype=1)
    expect("wireguard", [{
        "type": "zert", "proto": "wireguard", "src": CLIENT, "sport": 40100, "dst": SERVER,
        "dport": 51820, "established": True, "pq": "classical", "packets": 4,
    }])


SMTP_SERVER = r"""
import socket, ssl, sys
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv[3], sys.argv[4])
context.maximum_version = ssl.TLSVersion.TLSv1_2
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    plain, _ = listener.accept()
    stream, secure = plain.makefile("rwb", buffering=0), False
    stream.write(b"220 mx.lab.example ESMTP\r\n")
    while line := stream.readline():
        verb = line.split()[0].upper() if line.split() else b""
        if verb == b"EHLO":
            stream.write(b"250-mx.lab.example\r\n250 " + (b"8BITMIME" if secure else b"STARTTLS") + b"\r\n")
        elif verb == b"STARTTLS":
            stream.write(b"220 go ahead\r\n")
            plain, secure = context.wrap_socket(plain, server_side=True), True
            stream = plain.makefile("rwb", buffering=0)
        elif verb == b"QUIT":
            stream.write(b"221 bye\r\n")
            break
        else:
            stream.write(b"250 ok\r\n")
    stream.close()
    plain.close()
"""


def starttls(folder):
    with capture("starttls-smtp"), running(*on(
            NS_SERVER, sys.executable, "-c", SMTP_SERVER, SERVER, 25, folder / "server.crt",
            folder / "server.key")):
        text = s_client(40080, 25, "-starttls", "smtp", says=b"EHLO me\r\nQUIT\r\n")
        lines = [s_client_line(text, 40080, 25, folder / "server.crt")]
    expect("starttls-smtp", lines)


# ---- other programs -------------------------------------------------------------------------

def http(folder):
    (folder / "www").mkdir()
    (folder / "www" / "index.html").write_text("<p>Nothing is protected here.</p>\n")
    with capture("http"), running(*on(NS_SERVER, sys.executable, "-m", "http.server", "8080",
                                      "--bind", SERVER, "--directory", folder / "www")):
        text = must(*on(NS_CLIENT, "curl", "-sS", "--local-port", "40090", "-o", "/dev/null", "-w",
                        "%{local_port} %{http_code}", f"http://{SERVER}:8080/index.html"))
    assert text == "40090 200", text
    expect("http", [{"type": "zert", "proto": "none", "src": CLIENT, "sport": 40090,
                     "dst": SERVER, "dport": 8080}])


def ssh(folder):
    for name in ("host", "user"):
        must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name)
    shutil.copy(folder / "user.pub", folder / "authorized")
    os.makedirs("/run/sshd", exist_ok=True)
    server = on(NS_SERVER, shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", "/dev/null", "-h",
                folder / "host", "-p", "2222", "-o", "UsePAM=no", "-o", "PidFile=none", "-o",
                "StrictModes=no", "-o", f"AuthorizedKeysFile={folder / 'authorized'}", "-o",
                "PermitRootLogin=yes")
    lines = []
    with capture("ssh"), running(*server):
        for algorithms in (["-o", "KexAlgorithms=curve25519-sha256", "-o", "Ciphers=aes256-ctr",
                            "-o", "MACs=hmac-sha2-256-etm@openssh.com"],
                           ["-o", "KexAlgorithms=sntrup761x25519-sha512@openssh.com",
                            "-o", "Ciphers=chacha20-poly1305@openssh.com"]):
            text = sh(*on(NS_CLIENT, "ssh", "-v", "-F", "none", "-o", "BatchMode=yes", "-o",
                          "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-i",
                          folder / "user", "-p", "2222", *algorithms, f"root@{SERVER}",
                          "echo $SSH_CONNECTION"))
            found = lambda pattern: re.search(pattern, text, re.M).group(1).strip()
            port = int(found(rf"^{re.escape(CLIENT)} (\d+) {re.escape(SERVER)} 2222"))
            kex = found(r"kex: algorithm: (\S+)")
            line = {
                "type": "zert", "proto": "ssh", "src": CLIENT, "sport": port, "dst": SERVER,
                "dport": 2222, "ssh_protocol": 2,
                "client_version": found(r"Local version string (.*)$"),
                "server_version": "SSH-2.0-" + found(r"remote software version (.*)$"),
                "kex": kex, "host_key_alg": found(r"kex: host key algorithm: (\S+)"),
                "cipher_c2s": found(r"kex: client->server cipher: (\S+)"),
                "cipher_s2c": found(r"kex: server->client cipher: (\S+)"),
                "established": True, "failed": False,
                "pq": "hybrid" if kex.startswith("sntrup761x25519") else "classical",
            }
            mac = found(r"kex: client->server .* MAC: (\S+)")
            line["mac_implicit_c2s"] = mac == "<implicit>"
            if mac != "<implicit>":
                line["mac_c2s"] = mac
            lines.append(line)
    expect("ssh", lines)


ECHO_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 9000))
while True:
    data, peer = s.recvfrom(65535)
    s.sendto(data, peer)
"""
ECHO_CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.bind((sys.argv[1], 40095))
data = bytes(i % 251 for i in range(4000))
for _ in range(2):
    s.sendto(data, (sys.argv[2], 9000))
    assert s.recv(65535) == data
print("whole")
"""


def fragments():
    with capture("fragments", "udp or (ip[6:2] & 0x3fff != 0)"), \
            running(*on(NS_SERVER, sys.executable, "-c", ECHO_SERVER, SERVER)):
        text = must(*on(NS_CLIENT, sys.executable, "-c", ECHO_CLIENT, CLIENT, SERVER))
    assert text == "whole\n", text
    # Ordinary fragments: nothing is to be detected.
    expect("fragments", [])


# ---- built --------------------------------------------------------------------------------------

def rewrap(name, source, wrap):
    """The packets of another capture inside something, at the same times; the same records."""
    packets = []
    for packet in rdpcap(str(OUT / f"{source}.pcap")):
        wrapped = wrap(packet)
        wrapped.time = packet.time
        packets.append(wrapped)
    wrpcap(str(OUT / f"{name}.pcap"), packets, linktype=1)
    shutil.copy(OUT / f"{source}.expected.jsonl", OUT / f"{name}.expected.jsonl")


def tunnels():
    def ends(packet):
        there = packet[IP].src == CLIENT
        link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        return link / (IP(src="192.0.2.1", dst="192.0.2.2") if there
                       else IP(src="192.0.2.2", dst="192.0.2.1"))

    def with_options(packet):
        ip = packet[IPv6].copy()
        upper, ip.plen, ip.nh = ip.payload, None, 0
        ip.remove_payload()
        padding = lambda: [PadN(optdata=b"\0\0")]
        return (Ether(src=packet.src, dst=packet.dst) / ip / IPv6ExtHdrHopByHop(options=padding())
                / IPv6ExtHdrDestOpt(nh=6, options=padding()) / upper)

    rewrap("tls12-vlan", "tls12",
           lambda p: Ether(src=p.src, dst=p.dst) / Dot1Q(vlan=5) / Dot1Q(vlan=7) / p[IP])
    rewrap("tls12-gre", "tls12", lambda p: ends(p) / GRE(key_present=1, key=9) / p[IP])
    rewrap("tls12-vxlan", "tls12",
           lambda p: ends(p) / UDP(sport=55555, dport=4789) / VXLAN(vni=77, flags="Instance") / p)
    rewrap("tls13-ipv6-extension-headers", "tls13-ipv6", with_options)


def attack(packet, kind, **more):
    return {"type": "event", "packet": packet, "control": "ids", "kind": f"attack.{kind}", **more}


def overlapping():
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    datagram = IP(src=CLIENT, dst=SERVER, id=77) / UDP(sport=1000, dport=2000) / Raw(b"A" * 2392)
    first, second, third = fragment(datagram, fragsize=800)
    # Covers the last 400 bytes of the second fragment with other data.
    other = IP(src=CLIENT, dst=SERVER, id=77, proto=17, flags="MF", frag=150) / Raw(b"B" * 400)
    packets = [link / p for p in (first, second, other, third)]
    for i, packet in enumerate(packets):
        packet.time = 1_700_000_000 + i / 100
    wrpcap(str(OUT / "fragments-overlapping.pcap"), packets, linktype=1)
    expect("fragments-overlapping",
           [{"type": "event", "packet": 3, "control": "hook", "code": 1101,
             "kind": "hook.fragment-overlap", "src": CLIENT, "dst": SERVER}])


def malformed():
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    ip = IP(src=CLIENT, dst=SERVER)
    packets = [
        # 1: nothing is wrong.
        link / ip / UDP(sport=1000, dport=2000) / b"payload",
        # 2: a header length below five words (RFC 791).
        link / IP(src=CLIENT, dst=SERVER, ihl=3) / UDP(sport=1001, dport=2000) / b"payload",
        # 3: a total length that is shorter than the header.
        link / IP(src=CLIENT, dst=SERVER, len=12) / UDP(sport=1002, dport=2000) / b"payload",
        # 4: a data offset below five words (RFC 9293).
        link / ip / TCP(sport=1003, dport=2000, flags="S", dataofs=3),
        # 5: a UDP length below eight (RFC 768).
        link / ip / UDP(sport=1004, dport=2000, len=5) / b"payload",
        # 6: a TCP header that ends with the datagram after twelve bytes.
        link / IP(src=CLIENT, dst=SERVER, proto=6) / Raw(bytes(TCP(sport=1005, dport=2000))[:12]),
        # 7: nothing is wrong.
        link / ip / ICMP() / b"payload",
    ]
    for i, packet in enumerate(packets):
        packet.time = 1_700_000_000 + i / 100
    wrpcap(str(OUT / "malformed.pcap"), packets, linktype=1)
    expect("malformed", [attack(n, "malformed_packet") for n in (2, 3, 4, 5, 6)])


# ---- all of it ------------------------------------------------------------------------------

def namespaces():
    must("ip", "netns", "add", NS_CLIENT)
    must("ip", "netns", "add", NS_SERVER)
    must("ip", "link", "add", "v0", "netns", NS_CLIENT, "type", "veth", "peer", "name", "v1",
         "netns", NS_SERVER)
    for namespace, device, four, six in ((NS_CLIENT, "v0", CLIENT, CLIENT6),
                                         (NS_SERVER, "v1", SERVER, SERVER6)):
        must("ip", "-n", namespace, "addr", "add", f"{four}/24", "dev", device)
        must("ip", "-n", namespace, "-6", "addr", "add", f"{six}/64", "dev", device, "nodad")
        must("ip", "-n", namespace, "link", "set", "lo", "up")
        must("ip", "-n", namespace, "link", "set", device, "up")
        # Checksums and segments as they would be on a wire.
        must(*on(namespace, "ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off",
                 "gso", "off", "gro", "off"))
    time.sleep(1)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        certificate(folder, "server", f"/O=Capture Lab/CN={NAME}")
        certificate(folder, "client", "/O=Capture Lab/CN=client one")
        try:
            namespaces()
            http(folder)
            tls(folder)
            dtls(folder)
            quic(folder)
            starttls(folder)
            ssh(folder)
            fragments()
        finally:
            for namespace in (NS_CLIENT, NS_SERVER):
                sh("ip", "netns", "del", namespace)
    tunnels()
    overlapping()
    malformed()
    wireguard()


if __name__ == "__main__":
    main()
