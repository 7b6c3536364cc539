//! WireGuard: which messages they are. Its cryptography is always the same (Curve25519,
//! ChaCha20-Poly1305, BLAKE2s); whether a pre-shared key adds to it cannot be seen.

use hostward_hook::Side;

use crate::reader::Reader;

/// What a datagram of WireGuard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A handshake begins; the sender's index.
    Initiation(u32),
    /// It is answered; the index of the one who began.
    Response(u32),
    /// An answer under load: the handshake is to be tried again with a cookie.
    Cookie,
    /// Transport data. Its form alone proves nothing.
    Data,
}

/// Reads a datagram: type in one byte, three zeros, and one length for each kind of message.
pub(crate) fn message(payload: &[u8]) -> Option<Message> {
    let mut r = Reader(payload);
    let [kind, 0, 0, 0] = *r.array::<4>()? else {
        return None;
    };
    match (kind, payload.len()) {
        (1, 148) => r.u32().map(Message::Initiation),
        (2, 92) => {
            r.u32()?;
            r.u32().map(Message::Response)
        }
        (3, 64) => Some(Message::Cookie),
        (4, n) if n >= 32 && n % 16 == 0 => Some(Message::Data),
        _ => None,
    }
}

/// A flow of WireGuard.
#[derive(Debug)]
pub(crate) struct Wireguard {
    /// Who began the last handshake, with which index.
    begun: (Side, u32),
    /// Who began the first one.
    pub(crate) client: Side,
    /// A handshake was answered.
    pub(crate) established: bool,
}

impl Wireguard {
    /// A flow is recognised by the beginning of a handshake.
    pub(crate) fn of(from: Side, message: Message) -> Option<Self> {
        let Message::Initiation(index) = message else {
            return None;
        };
        Some(Self {
            begun: (from, index),
            client: from,
            established: false,
        })
    }

    pub(crate) fn datagram(&mut self, from: Side, payload: &[u8]) {
        match message(payload) {
            Some(Message::Initiation(index)) => self.begun = (from, index),
            Some(Message::Response(index)) if self.begun == (from.other(), index) => {
                self.established = true;
            }
            Some(Message::Response(_) | Message::Cookie | Message::Data) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_counts_when_the_answer_names_it() {
        let mut first = [0; 148];
        first[..8].copy_from_slice(&[1, 0, 0, 0, 7, 7, 7, 7]);
        let mut flow = Wireguard::of(Side::Initiator, message(&first).unwrap()).unwrap();
        let mut answer = [0; 92];
        answer[..4].copy_from_slice(&[2, 0, 0, 0]);
        flow.datagram(Side::Responder, &answer);
        assert!(!flow.established);
        answer[8..12].copy_from_slice(&[7; 4]);
        flow.datagram(Side::Initiator, &answer);
        assert!(!flow.established);
        flow.datagram(Side::Responder, &answer);
        assert!(flow.established);
        first[1] = 1;
        assert_eq!(message(&first), None);
        assert_eq!(message(&first[..147]), None);
    }
}
