#!/bin/sh
# Makes the keys and certificates of this folder anew, with OpenSSL: a second opinion on what the tests make
# themselves. The keys protect nothing.
set -eu
cd "$(dirname "$0")"
days=36500
key() { openssl pkcs8 -topk8 -nocrypt -outform DER -out "$1.pk8" -in "$1.pem"; }
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa1024.pem
for curve in 256 384 521; do
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-$curve -out p$curve.pem
done
openssl genpkey -quiet -algorithm ED25519 -out ed25519.pem
for name in rsa rsa1024 p256 p384 p521 ed25519; do key $name; done
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out root.pem
openssl req -x509 -new -key root.pem -sha256 -days $days -subj "/C=US/O=Example/CN=Root" \
    -addext keyUsage=critical,keyCertSign,cRLSign -outform DER -out root.der
for name in rsa rsa1024 p256 p384 p521 ed25519; do
    openssl req -new -key $name.pem -subj "/C=US/O=Example/CN=$name" -out $name.csr
    printf 'subjectAltName=DNS:%s.example.com,IP:192.0.2.1,IP:2001:db8::1,email:gw@example.com\nkeyUsage=digitalSignature\n' \
        $name > $name.ext
    openssl x509 -req -in $name.csr -CA root.der -CAform DER -CAkey root.pem -days $days -extfile $name.ext -sha256 \
        -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -outform DER -out $name.der 2>/dev/null
done
rm -f ./*.pem ./*.csr ./*.ext ./*.srl
