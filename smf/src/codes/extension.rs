//! What this project's own record tells beyond the others.

use super::codes;

codes! {
    /// Tag of a value in an extension record: a proposal of this project.
    [U] ExtensionTag: u16 {
        1 GROUP "named group",
        2 SIGNATURE_SCHEME "signature scheme",
        3 SERVER_NAME "server name",
        4 ALPN "application protocol",
        5 JA3 "JA3",
        6 JA4 "JA4",
        7 HASSH "HASSH",
        8 SSH_KEX "SSH key exchange",
        9 SSH_HOST_KEY "SSH host key algorithm",
        10 SSH_CIPHER_CLIENT "SSH cipher from the client",
        11 SSH_CIPHER_SERVER "SSH cipher from the server",
        12 SSH_MAC_CLIENT "SSH MAC from the client",
        13 SSH_MAC_SERVER "SSH MAC from the server",
        14 POST_QUANTUM "post-quantum class",
        15 ENCRYPTED_CLIENT_HELLO "encrypted client hello seen",
        16 QUIC_VERSION "QUIC version",
        17 FAMILY "protocol family",
        18 STARTTLS "STARTTLS protocol",
        19 HELLO_RETRY "hello retry request seen",
        20 EARLY_DATA "early data",
        21 SSH_STRICT "SSH strict key exchange",
    }
}
