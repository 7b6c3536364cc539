//! How much of a peer's message this side is willing to look at.

/// Bounds on what one message may contain. A message beyond one of them is refused as a whole with
/// INVALID_SYNTAX, which RFC 7296 §3.10.1 has for reasons of policy too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a message.
    pub message: usize,
    /// Payloads of a message, those inside of SK counted apart.
    pub payloads: usize,
    /// Proposals of an SA payload.
    pub proposals: usize,
    /// Transforms of a proposal; its count field has one octet.
    pub transforms: usize,
    /// Attributes of a transform.
    pub attributes: usize,
    /// Notify payloads of a message.
    pub notifies: usize,
    /// CERT payloads of a message.
    pub certificates: usize,
    /// CERTREQ payloads of a message.
    pub certificate_requests: usize,
    /// Selectors of a TS payload; their count field has one octet.
    pub selectors: usize,
    /// SPIs of a Delete payload.
    pub spis: usize,
    /// Attributes of a configuration payload.
    pub configuration: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 65_535,
            payloads: 100,
            proposals: 64,
            transforms: 128,
            attributes: 4,
            notifies: 48,
            certificates: 16,
            certificate_requests: 16,
            selectors: 128,
            spis: 256,
            configuration: 64,
        }
    }
}
