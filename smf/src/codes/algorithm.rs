//! Algorithms that TLS, SSH, IKE and IPsec fields share. Nothing here is confirmed.

use super::codes;

codes! {
    /// Symmetric encryption.
    [R] Encryption: u16 {
        0x0000 UNKNOWN "unknown",
        0x0001 NONE "none",
        0x0002 DES "DES",
        0x0003 DES_40 "DES 40",
        0x0004 TRIPLE_DES "3DES",
        0x0005 RC2_40 "RC2 40",
        0x0006 RC2_128 "RC2 128",
        0x0007 RC2 "RC2",
        0x0008 RC4_40 "RC4 40",
        0x0009 RC4_128 "RC4 128",
        0x000a RC4_256 "RC4 256",
        0x000b RC4 "RC4",
        0x000c AES_CBC_128 "AES CBC 128",
        0x000d AES_CBC_192 "AES CBC 192",
        0x000e AES_CBC_256 "AES CBC 256",
        0x000f AES_CTR_128 "AES CTR 128",
        0x0010 AES_CTR_192 "AES CTR 192",
        0x0011 AES_CTR_256 "AES CTR 256",
        0x0012 AES_GCM_128 "AES GCM 128",
        0x0013 AES_GCM_256 "AES GCM 256",
        0x0014 AES_CCM_128 "AES CCM 128",
        0x0015 AES_CCM_256 "AES CCM 256",
        0x0016 AES_CCM8_128 "AES CCM8 128",
        0x0017 AES_CCM8_256 "AES CCM8 256",
        0x0018 AES_256 "AES 256 (mode not stated)",
        0x0019 BLOWFISH "Blowfish",
        0x001a BLOWFISH_CBC "Blowfish CBC",
        0x001b CAST_128_CBC "CAST 128 CBC",
        0x001c ARCFOUR_128 "ARCFOUR 128",
        0x001d ARCFOUR_256 "ARCFOUR 256",
        0x001e ARCFOUR "ARCFOUR",
        0x001f RIJNDAEL_CBC "Rijndael CBC",
        0x0020 ACSS "ACSS",
        0x0021 ARIA_128_CBC "ARIA 128 CBC",
        0x0022 ARIA_256_CBC "ARIA 256 CBC",
        0x0023 ARIA_128_GCM "ARIA 128 GCM",
        0x0024 ARIA_256_GCM "ARIA 256 GCM",
        0x0025 CAMELLIA_128_CBC "Camellia 128 CBC",
        0x0026 CAMELLIA_256_CBC "Camellia 256 CBC",
        0x0027 CAMELLIA_128_GCM "Camellia 128 GCM",
        0x0028 CAMELLIA_256_GCM "Camellia 256 GCM",
        0x0029 CHACHA20_POLY1305 "ChaCha20-Poly1305",
        0x002a IDEA_CBC "IDEA CBC",
        0x002b SEED_CBC "SEED CBC",
        0x002c FORTEZZA "Fortezza",
        0x002d GOST_28147 "GOST 28147",
        0x002e TWOFISH_CBC_256 "Twofish CBC 256",
        0x002f TWOFISH_CBC "Twofish CBC",
        0x0030 TWOFISH_CBC_192 "Twofish CBC 192",
        0x0031 TWOFISH_CBC_128 "Twofish CBC 128",
        0x0032 SERPENT_CBC_256 "Serpent CBC 256",
        0x0033 SERPENT_CBC_192 "Serpent CBC 192",
        0x0034 SERPENT_CBC_128 "Serpent CBC 128",
    }
}

codes! {
    /// Message authentication.
    ///
    /// SSH's encrypt-then-MAC variants have the code of the plain algorithm and
    /// [`CryptoFlags::ENCRYPT_THEN_MAC`](super::CryptoFlags::ENCRYPT_THEN_MAC).
    [R] Authentication: u16 {
        0x0000 UNKNOWN "unknown",
        0x0001 NONE "none, or authenticated encryption",
        0x0002 HMAC_MD2 "HMAC-MD2",
        0x0003 HMAC_MD5 "HMAC-MD5",
        0x0004 HMAC_SHA1 "HMAC-SHA1",
        0x0005 HMAC_SHA2_224 "HMAC-SHA2-224",
        0x0006 HMAC_SHA2_256 "HMAC-SHA2-256",
        0x0007 HMAC_SHA2_384 "HMAC-SHA2-384",
        0x0008 HMAC_SHA2_512 "HMAC-SHA2-512",
        0x0009 AES_GMAC_128 "AES-GMAC-128",
        0x000a AES_GMAC_256 "AES-GMAC-256",
        0x000b AES_128_XCBC_96 "AES-128-XCBC-96",
        0x000c HMAC_SHA2_256_128 "HMAC-SHA2-256-128",
        0x000d HMAC_SHA2_384_192 "HMAC-SHA2-384-192",
        0x000e HMAC_SHA2_512_256 "HMAC-SHA2-512-256",
        0x000f HMAC_MD5_96 "HMAC-MD5-96",
        0x0010 HMAC_SHA1_96 "HMAC-SHA1-96",
        0x0011 UMAC_64 "UMAC-64",
        0x0012 UMAC_128 "UMAC-128",
        0x0013 RIPEMD_160 "RIPEMD-160",
    }
}
